// What the agent encodes the controller decodes to the same records.

#include <gtest/gtest.h>

#include <random>
#include <string>

#include "agent/export/encode.h"
#include "base/testing/status_matchers.h"
#include "controller/ingest/decode.h"
#include "kindling/v1/ingest.pb.h"
#include "model/records.h"

namespace kindling {
namespace {

constexpr int64_t kWall = 1'700'000'000'000'000'000;

// Records with many different values, half of the fields at their defaults.
class Maker {
 public:
  explicit Maker(uint32_t seed) : random_(seed) {}

  model::Batch MakeBatch() {
    model::Batch batch;
    batch.id.boot_epoch = 1 + Number(1000);
    batch.id.sequence = 1 + Number(1000);
    batch.rule_version = static_cast<uint32_t>(Number(3));
    batch.first_ns = kWall;
    batch.last_ns = kWall + 10;
    for (uint64_t i = Number(20); i > 0; --i) batch.spans.push_back(MakeSpan());
    for (uint64_t i = Number(20); i > 0; --i) batch.edges.push_back(MakeEdge());
    for (uint64_t i = Number(5); i > 0; --i) batch.processes.push_back(MakeProcess());
    for (uint64_t i = Number(5); i > 0; --i) batch.addresses.push_back(MakeAddress());
    for (uint64_t i = Number(5); i > 0; --i) {
      batch.losses.push_back({.time_ns = Time(),
                              .stage = static_cast<model::LossStage>(1 + Number(8)),
                              .host = Text(),
                              .workload = Text(),
                              .requests = Sometimes(),
                              .events = Sometimes(),
                              .bytes = Sometimes()});
    }
    return batch;
  }

 private:
  uint64_t Number(uint64_t below) { return random_() % below; }
  uint64_t Sometimes() { return Number(2) == 0 ? 0 : random_() % (uint64_t{1} << 40); }
  uint32_t Word() { return static_cast<uint32_t>(Sometimes()); }
  int64_t Duration() { return static_cast<int64_t>(Sometimes()); }
  int64_t Time() { return kWall - 1000 + static_cast<int64_t>(Number(2000)); }
  std::string Text() { return Number(3) == 0 ? "" : "text \xc3\xa9 " + std::to_string(Number(4)); }

  model::Party MakeParty() {
    return {.workload = Text(),
            .workload_kind = Text(),
            .host = Text(),
            .address = Text(),
            .port = static_cast<uint16_t>(Word()),
            .dns_name = Text()};
  }
  model::BlameVector MakeBlame() {
    model::BlameVector blame;
    for (uint64_t& ns : blame.ns) ns = Sometimes();
    return blame;
  }

  model::Span MakeSpan() {
    model::Span s;
    s.id = random_();
    s.trace_id = {Sometimes(), Sometimes()};
    s.parent_id = Sometimes();
    s.side = static_cast<model::Side>(Number(3));
    s.protocol = static_cast<model::Protocol>(Number(9));
    s.transport = static_cast<model::Transport>(Number(4));
    s.outcome = static_cast<model::Outcome>(Number(6));
    s.slow = Number(2) == 0;
    s.client = MakeParty();
    s.server = MakeParty();
    s.client_port = static_cast<uint16_t>(Word());
    s.endpoint = Text();
    s.status_code = Text();
    s.start_ns = Time();
    s.request_duration_ns = Duration();
    s.wait_duration_ns = Duration();
    s.response_duration_ns = Duration();
    s.connect_duration_ns = Duration();
    s.request_bytes = Sometimes();
    s.response_bytes = Sometimes();
    s.request_tcp_seq = Word();
    s.response_tcp_seq = Word();
    s.stream_id = Word();
    s.pid = Word();
    s.request_tid = Word();
    s.response_tid = Word();
    s.execution_unit = Sometimes();
    s.sample_weight = static_cast<float>(1 + Number(100)) / 4;
    if (Number(2) == 0) s.blame = MakeBlame();
    for (uint64_t i = Number(4); i > 0; --i) s.attributes.emplace_back(Text(), Text());
    return s;
  }

  model::EdgeStats MakeEdge() {
    model::EdgeStats e;
    e.window_start_ns = Time();
    e.window_ns = 10'000'000'000;
    e.observer = static_cast<model::Side>(Number(3));
    e.client = MakeParty();
    e.server = MakeParty();
    e.protocol = static_cast<model::Protocol>(Number(9));
    e.transport = static_cast<model::Transport>(Number(4));
    e.endpoint = Text();
    e.outcome = static_cast<model::Outcome>(Number(6));
    e.status_code = Text();
    e.count = Sometimes();
    e.slow_count = Sometimes();
    e.sent_bytes = Sometimes();
    e.received_bytes = Sometimes();
    e.connections = Sometimes();
    e.connect_failures = Sometimes();
    e.connect_count = Sometimes();
    e.connect_sum_ns = Sometimes();
    e.lost = Sometimes();
    for (uint64_t i = Number(10); i > 0; --i) e.latency.Record(Duration());
    if (Number(2) == 0) e.blame = MakeBlame();
    return e;
  }

  model::ProcessEvent MakeProcess() {
    return {.time_ns = Time(),
            .kind = static_cast<model::ProcessEventKind>(1 + Number(5)),
            .host = Text(),
            .workload = Text(),
            .workload_kind = Text(),
            .executable = Text(),
            .command = Text(),
            .pid = Word(),
            .parent_pid = Word(),
            .code = static_cast<int32_t>(Word())};
  }

  model::AddressBinding MakeAddress() {
    return {.first_ns = Time(),
            .address = "10.0.0." + std::to_string(Number(256)),
            .port = static_cast<uint16_t>(Word()),
            .transport = static_cast<model::Transport>(Number(4)),
            .workload = Text(),
            .workload_kind = Text(),
            .host = Text()};
  }

  std::mt19937_64 random_;
};

class EncodeDecodeTest : public ::testing::TestWithParam<uint32_t> {};

TEST_P(EncodeDecodeTest, IsTheIdentity) {
  const model::Batch batch = Maker(GetParam()).MakeBatch();
  v1::Batch encoded;
  agent::EncodeBatch(batch, &encoded);
  v1::Batch sent;
  ASSERT_TRUE(sent.ParseFromString(encoded.SerializeAsString()));
  const absl::StatusOr<model::Batch> decoded = controller::DecodeBatch(sent, kWall + 1'000'000);
  ASSERT_OK(decoded);
  EXPECT_EQ(decoded->id.boot_epoch, batch.id.boot_epoch);
  EXPECT_EQ(decoded->id.sequence, batch.id.sequence);
  EXPECT_EQ(decoded->rule_version, batch.rule_version);
  EXPECT_EQ(decoded->first_ns, batch.first_ns);
  EXPECT_EQ(decoded->last_ns, batch.last_ns);
  EXPECT_EQ(decoded->spans, batch.spans);
  EXPECT_EQ(decoded->edges, batch.edges);
  EXPECT_EQ(decoded->processes, batch.processes);
  EXPECT_EQ(decoded->addresses, batch.addresses);
  EXPECT_EQ(decoded->losses, batch.losses);
}

INSTANTIATE_TEST_SUITE_P(ManyBatches, EncodeDecodeTest,
                         ::testing::Range(uint32_t{0}, uint32_t{100}));

}  // namespace
}  // namespace kindling
