#include <string>

#include "agent/protocols/redis/codec.h"
#include "base/byte_reader.h"
#include "benchmark/benchmark.h"
#include "model/protocol.h"

namespace kindling::agent {
namespace {

class CountingSink : public RecordSink {
 public:
  void OnRecord(const Record& record) override {
    records += record.requests();
    benchmark::DoNotOptimize(record.endpoint.data());
  }
  bool takes_runs() const override { return true; }  // as the pipeline
  void OnUnparsed(uint64_t, uint64_t) override {}

  uint64_t records = 0;
};

// What redis-benchmark sends and gets: SETs of 3 bytes, `depth` of them in one write.
void BM_Pipelined(benchmark::State& state) {
  std::string commands;
  std::string replies;
  for (int64_t i = 0; i < state.range(0); ++i) {
    commands += "*3\r\n$3\r\nSET\r\n$16\r\nkey:000000000012\r\n$3\r\nVXK\r\n";
    replies += "+OK\r\n";
  }
  const auto codec = redis::MakeCodec(model::Transport::kTcp);
  CountingSink sink;
  for (auto _ : state) {
    codec->Feed(Flow::kRequest, {.bytes = base::AsBytes(commands), .boot_ns = 1}, sink);
    codec->Feed(Flow::kResponse, {.bytes = base::AsBytes(replies), .boot_ns = 2}, sink);
  }
  state.SetItemsProcessed(static_cast<int64_t>(sink.records));
}
BENCHMARK(BM_Pipelined)->Arg(1)->Arg(16);

}  // namespace
}  // namespace kindling::agent

BENCHMARK_MAIN();
