#include "agent/protocols/testing/codec_fuzzer.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "agent/protocols/codec_limits.h"

namespace kindling::agent {
namespace {

constexpr int64_t kStepNs = 50'000'000;
constexpr int64_t kNoResponseNs = 1'000'000'000;

void Require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %s\n", what);
  std::abort();
}

class CheckingSink : public RecordSink {
 public:
  void OnRecord(const Record& record) override {
    Require(!record.endpoint.empty() && record.endpoint.size() <= kMaxEndpointBytes, "endpoint");
    Require(record.status_code.size() <= kMaxAttributeBytes, "status_code");
    Require(record.outcome != model::Outcome::kUnset, "outcome");
    Require(record.request_start_ns <= record.request_end_ns, "request times");
    Require(record.response_start_ns <= record.response_end_ns, "response times");
    Require(record.outcome != model::Outcome::kNoResponse || record.response_end_ns == 0,
            "no response");
    for (const auto& [name, value] : record.attributes) {
      Require(!name.empty() && value.size() <= kMaxStatementBytes, "attribute");
    }
    ++records;
  }
  void OnUnparsed(uint64_t, uint64_t) override {}

  uint64_t records = 0;
};

}  // namespace

void FuzzCodec(const std::function<std::unique_ptr<ProtocolCodec>()>& make_codec,
               std::span<const uint8_t> input) {
  const std::unique_ptr<ProtocolCodec> codec = make_codec();
  CheckingSink sink;
  int64_t now_ns = kStepNs;
  uint32_t seq[2] = {1000, 5'000'000};
  while (input.size() >= 2) {
    const uint8_t step = input[0];
    const uint8_t size = input[1];
    input = input.subspan(2);
    now_ns += kStepNs;
    const Flow flow = (step & 1) != 0 ? Flow::kResponse : Flow::kRequest;
    const int what = step >> 1 & 3;
    if (what == 3 && (step & 8) != 0) {
      codec->OnTick(now_ns, kNoResponseNs, sink);
    } else if (what == 3) {
      codec->OnGap(flow, size / 8, sink);
      seq[step & 1] += size / 8;
    } else {
      const size_t take = std::min<size_t>(size + size_t{1}, input.size());
      // On the heap and freed at once: a sanitizer sees whoever keeps the view or reads past it.
      const auto* const begin = reinterpret_cast<const std::byte*>(input.data());
      const std::vector<std::byte> bytes(begin, begin + take);
      const Segment segment{.bytes = bytes,
                            .unseen_bytes = what == 2 ? size : 0u,
                            .boot_ns = now_ns,
                            .tcp_seq = seq[step & 1],
                            .tid = 7};
      codec->Feed(flow, segment, sink);
      seq[step & 1] += static_cast<uint32_t>(take) + segment.unseen_bytes;
      input = input.subspan(take);
    }
  }
  codec->OnClose(now_ns, sink);
  Require(!codec->has_open_request(), "nothing is open after OnClose");
}

}  // namespace kindling::agent
