#include <string>

#include "agent/protocols/mysql/codec.h"
#include "base/byte_reader.h"
#include "benchmark/benchmark.h"
#include "model/protocol.h"

namespace kindling::agent {
namespace {

using namespace std::string_literals;

class CountingSink : public RecordSink {
 public:
  void OnRecord(const Record& record) override {
    ++records;
    benchmark::DoNotOptimize(record.endpoint.data());
  }
  void OnUnparsed(uint64_t, uint64_t) override {}

  uint64_t records = 0;
};

std::string Packet(int sequence, const std::string& payload) {
  return std::string{static_cast<char>(payload.size()), '\0', '\0', static_cast<char>(sequence)} +
         payload;
}

// One statement of the text protocol and a result of as many rows.
void BM_Query(benchmark::State& state) {
  const std::string query =
      Packet(0, "\3SELECT id, name, price FROM shop.products WHERE id IN (1, 2, 3) ORDER BY price");
  std::string result = Packet(1, "\1") +
                       Packet(2,
                              "\3"
                              "def\4shop") +
                       Packet(3, "\xfe\0\0\2\0"s);
  int sequence = 4;
  for (int64_t i = 0; i < state.range(0); ++i) result += Packet(sequence++, "\1\x31\4some\5price");
  result += Packet(sequence, "\xfe\0\0\2\0"s);
  const auto codec = mysql::MakeCodec(model::Transport::kTcp);
  CountingSink sink;
  for (auto _ : state) {
    codec->Feed(Flow::kRequest, {.bytes = base::AsBytes(query), .boot_ns = 1}, sink);
    codec->Feed(Flow::kResponse, {.bytes = base::AsBytes(result), .boot_ns = 2}, sink);
  }
  state.SetItemsProcessed(static_cast<int64_t>(sink.records));
}
BENCHMARK(BM_Query)->Arg(1)->Arg(40);

}  // namespace
}  // namespace kindling::agent

BENCHMARK_MAIN();
