#include "agent/protocols/testing/codec_fuzzer.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "agent/protocols/codec_limits.h"
#include "agent/protocols/dns/query_event.h"

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
  explicit CheckingSink(bool takes_runs) : takes_runs_(takes_runs) {}

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
    Require(takes_runs_ || record.more == 0, "one request a record");
    sums.requests += record.requests();
    sums.request_bytes += record.request_bytes + record.more_request_bytes;
    sums.response_bytes += record.response_bytes + record.more_response_bytes;
  }
  void OnUnparsed(uint64_t bytes, uint64_t requests) override {
    sums.unparsed_bytes += bytes;
    sums.unparsed_requests += requests;
  }
  void OnDropped(int64_t /*start_ns*/) override { ++sums.dropped; }
  void OnDnsQuery(const dns::QueryEvent& event) override {
    Require(event.at_ns >= event.sent_ns && !event.name.empty(), "query");
    if (event.stage == dns::QueryStage::kSent) {
      ++open_queries;
    } else if (event.stage != dns::QueryStage::kOverdue) {
      --open_queries;
    }
  }
  bool takes_runs() const override { return takes_runs_; }

  int64_t open_queries = 0;
  struct Sums {
    uint64_t requests = 0;
    uint64_t request_bytes = 0;
    uint64_t response_bytes = 0;
    uint64_t unparsed_bytes = 0;
    uint64_t unparsed_requests = 0;
    uint64_t dropped = 0;
    bool operator==(const Sums&) const = default;
  };
  Sums sums;

 private:
  const bool takes_runs_;
};

}  // namespace

void FuzzCodec(const std::function<std::unique_ptr<ProtocolCodec>()>& make_codec,
               std::span<const uint8_t> input) {
  const std::unique_ptr<ProtocolCodec> codec = make_codec();
  CheckingSink sink(/*takes_runs=*/false);
  // The same with runs: after every step it must have told as much.
  const std::unique_ptr<ProtocolCodec> codec_of_runs = make_codec();
  CheckingSink sink_of_runs(/*takes_runs=*/true);
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
      codec_of_runs->OnTick(now_ns, kNoResponseNs, sink_of_runs);
    } else if (what == 3) {
      codec->OnGap(flow, size / 8, sink);
      codec_of_runs->OnGap(flow, size / 8, sink_of_runs);
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
      codec_of_runs->Feed(flow, segment, sink_of_runs);
      seq[step & 1] += static_cast<uint32_t>(take) + segment.unseen_bytes;
      input = input.subspan(take);
    }
    Require(sink.sums == sink_of_runs.sums, "runs hold what their requests do");
  }
  codec->OnClose(now_ns, sink);
  codec_of_runs->OnClose(now_ns, sink_of_runs);
  Require(sink.sums == sink_of_runs.sums, "runs hold what their requests do, at the end");
  Require(!codec->has_open_request(), "nothing is open after OnClose");
  Require(sink.open_queries == 0, "what was told as sent was told as over");
}

}  // namespace kindling::agent
