#include "agent/network/tcp_stats.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <optional>
#include <string>

#include "model/tcp_metrics.h"

namespace kindling::agent {
namespace {

namespace tcp = model::tcp;
using model::MetricKind;

constexpr int64_t kMs = 1'000'000;
constexpr TcpStats::Origin kConnected{.since_start = true};
constexpr TcpStats::Origin kAccepted{.since_start = true, .accepted = true};
constexpr TcpStats::Origin kFound{};

model::EdgeEnds Ends(const std::string& client, const std::string& server = "db:3306") {
  return {.observer = model::Side::kClient,
          .client = {.workload = client},
          .server = {.workload = server, .port = 3306}};
}

// The windows that a TcpStats gives.
class TcpStatsTest : public testing::Test {
 protected:
  void Close() {
    batch_ = {};
    stats_.EmitWindow(10, batch_);
  }
  // The only point of a series of `client`'s; null: there is none.
  const model::MetricPoint* PointOf(const char* name, const std::string& client,
                                    const char* label = nullptr, const char* value = nullptr) {
    const model::MetricPoint* found = nullptr;
    for (const model::MetricPoint& point : batch_.points) {
      const model::MetricSeries& series = batch_.series[point.series];
      if (series.name != name || model::EndsOf(series.labels).client.workload != client) continue;
      if (label != nullptr && model::LabelOf(series.labels, label) != value) continue;
      EXPECT_EQ(point.time_ns, 10);
      EXPECT_EQ(found, nullptr) << name;
      found = &point;
    }
    return found;
  }
  // 0: there is none.
  double Value(const char* name, const std::string& client, const char* label = nullptr,
               const char* value = nullptr) {
    const model::MetricPoint* point = PointOf(name, client, label, value);
    return point == nullptr ? 0 : point->value;
  }

  TcpStats stats_{{}};
  model::Batch batch_;
};

TEST_F(TcpStatsTest, ConnectsByResultWithTheirTimes) {
  stats_.OnConnect(Ends("a"), 0, 2 * kMs);
  stats_.OnConnect(Ends("a"), 0, 0);  // its time is not known
  stats_.OnConnectFailure(
      Ends("a"),
      {.error = ECONNREFUSED, .duration_ns = 3 * kMs, .syn_retransmits = 2, .resets_received = 1});
  stats_.OnConnectFailure(Ends("b"), {.error = 0, .duration_ns = kMs});
  Close();
  EXPECT_EQ(Value(tcp::kConnects, "a", tcp::kResult, "ok"), 2);
  EXPECT_EQ(Value(tcp::kConnects, "a", tcp::kResult, "ECONNREFUSED"), 1);
  EXPECT_EQ(Value(tcp::kConnects, "b", tcp::kResult, "ECANCELED"), 1);
  const auto* times = PointOf(tcp::kConnectTime, "a", tcp::kResult, "ok");
  ASSERT_NE(times, nullptr);
  EXPECT_EQ(times->histogram.count(), 1);
  EXPECT_EQ(times->histogram.sum_ns(), 2 * kMs);
  EXPECT_EQ(Value(tcp::kRetransmits, "a", tcp::kKind, "syn"), 2);
  EXPECT_EQ(Value(tcp::kResetsReceived, "a"), 1);
  Close();
  EXPECT_TRUE(batch_.empty());  // nothing is told twice
}

TEST_F(TcpStatsTest, SamplesCountWhatIsNew) {
  TcpSample sample{.id = 1,
                   .sent_bytes = 1000,
                   .received_bytes = 10,
                   .sent_segments = 5,
                   .retransmits = 4,
                   .timeout_retransmits = 1,
                   .fast_retransmits = 2,
                   .lost_segments = 3,
                   .srtt_ns = 7 * kMs,
                   .min_rtt_ns = 5 * kMs,
                   .busy_ns = 1'500'000'000,
                   .receiver_limited_ns = 500'000'000,
                   .congestion = CongestionState::kRecovery};
  stats_.OnSample(Ends("a"), kConnected, sample);
  Close();
  EXPECT_EQ(Value(tcp::kSentBytes, "a"), 1000);
  EXPECT_EQ(Value(tcp::kRetransmits, "a", tcp::kKind, "timeout"), 1);
  EXPECT_EQ(Value(tcp::kRetransmits, "a", tcp::kKind, "fast"), 2);
  EXPECT_EQ(Value(tcp::kRetransmits, "a", tcp::kKind, "other"), 1);
  EXPECT_EQ(Value(tcp::kBusyTime, "a"), 1.5);
  EXPECT_EQ(Value(tcp::kReceiverLimitedTime, "a"), 0.5);
  EXPECT_EQ(Value(tcp::kMinRtt, "a"), 0.005);
  EXPECT_EQ(Value(tcp::kCongestion, "a", tcp::kState, "recovery"), 1);
  EXPECT_EQ(PointOf(tcp::kSrtt, "a")->histogram.count(), 1);
  EXPECT_EQ(Value(tcp::kEnds, "a"), 0);

  sample.sent_bytes = 1500;
  sample.retransmits = 5;
  sample.timeout_retransmits = 2;
  sample.congestion = CongestionState::kOpen;
  sample.ended = true;
  stats_.OnSample(Ends("a"), kConnected, sample);
  Close();
  EXPECT_EQ(Value(tcp::kSentBytes, "a"), 500);
  EXPECT_EQ(Value(tcp::kReceivedBytes, "a"), 0);
  EXPECT_EQ(Value(tcp::kRetransmits, "a"), 1);  // the only kind that grew
  EXPECT_EQ(Value(tcp::kEnds, "a", tcp::kReason, "closed"), 1);
  EXPECT_EQ(PointOf(tcp::kBusyTime, "a"), nullptr);
  EXPECT_EQ(stats_.sampled(), 0);
}

TEST_F(TcpStatsTest, CausesOfRetransmitsAreNoMoreThanTheirSum) {
  stats_.OnSample(
      Ends("a"), kConnected,
      {.id = 1, .retransmits = 5, .timeout_retransmits = 3, .fast_retransmits = 9, .ended = true});
  Close();
  EXPECT_EQ(Value(tcp::kRetransmits, "a", tcp::kKind, "timeout"), 3);
  EXPECT_EQ(Value(tcp::kRetransmits, "a", tcp::kKind, "fast"), 2);
  EXPECT_EQ(Value(tcp::kRetransmits, "a", tcp::kKind, "other"), 0);
}

TEST_F(TcpStatsTest, WhatWasBeforeTheAgentIsNotNews) {
  stats_.OnSample(Ends("a"), kFound, {.id = 1, .sent_bytes = 1'000'000, .retransmits = 7});
  stats_.OnSample(Ends("a"), kFound, {.id = 1, .sent_bytes = 1'000'001, .retransmits = 7});
  stats_.OnSample(Ends("b"), kFound, {.id = 2, .sent_bytes = 9, .ended = true});
  Close();
  EXPECT_EQ(Value(tcp::kSentBytes, "a"), 1);
  EXPECT_EQ(Value(tcp::kRetransmits, "a"), 0);
  EXPECT_EQ(Value(tcp::kSentBytes, "b"), 0);
  EXPECT_EQ(Value(tcp::kEnds, "b"), 1);
}

TEST_F(TcpStatsTest, ACounterThatWentBackCountsOnce) {
  for (const uint64_t bytes : {100, 90, 120}) {
    stats_.OnSample(Ends("a"), kConnected, {.id = 1, .sent_bytes = bytes});
  }
  Close();
  EXPECT_EQ(Value(tcp::kSentBytes, "a"), 120);
}

TEST_F(TcpStatsTest, AcceptedConnectionsCountOnce) {
  stats_.OnSample(Ends("a"), kAccepted, {.id = 1});
  stats_.OnSample(Ends("a"), kAccepted, {.id = 1, .ended = true});
  stats_.OnSample(Ends("a"), kAccepted, {.id = 2, .ended = true});
  Close();
  EXPECT_EQ(Value(tcp::kAccepts, "a"), 2);
  EXPECT_EQ(Value(tcp::kEnds, "a"), 2);
}

TEST_F(TcpStatsTest, ReasonsOfEnds) {
  const auto end = [&](ConnId id, TcpSample sample) {
    sample.id = id;
    sample.ended = true;
    stats_.OnSample(Ends("a"), kConnected, sample);
  };
  end(1, {.resets_received = 1, .error = ECONNRESET});
  end(2, {.resets_sent = 1, .reset_reason = "abort_on_close"});
  end(3, {.resets_sent = 1, .error = ETIMEDOUT});
  end(4, {.error = EHOSTUNREACH});
  Close();
  for (const char* reason : {"reset_received", "reset_sent", "timeout", "EHOSTUNREACH"}) {
    EXPECT_EQ(Value(tcp::kEnds, "a", tcp::kReason, reason), 1) << reason;
  }
  EXPECT_EQ(Value(tcp::kResetsSent, "a", tcp::kReason, "abort_on_close"), 1);
  EXPECT_EQ(Value(tcp::kResetsSent, "a", tcp::kReason, "unknown"), 1);
}

TEST_F(TcpStatsTest, ListenersByTheirGrowth) {
  const model::EdgeEnds ends{.observer = model::Side::kServer,
                             .server = {.workload = "db:3306", .port = 3306}};
  stats_.OnListener(ends, {.id = 1, .drops = 3, .queued = 2, .queue_max = 128});
  stats_.OnListener(ends, {.id = 2, .queued = 9, .queue_max = 16, .synack_retransmits = 1});
  Close();
  EXPECT_EQ(Value(tcp::kListenDrops, ""), 3);
  EXPECT_EQ(Value(tcp::kAcceptQueue, ""), 9);
  EXPECT_EQ(Value(tcp::kAcceptQueueMax, ""), 16);
  EXPECT_EQ(Value(tcp::kRetransmits, "", tcp::kKind, "synack"), 1);
  stats_.OnListener(ends, {.id = 1, .drops = 5, .ended = true});
  Close();
  EXPECT_EQ(Value(tcp::kListenDrops, ""), 2);
  EXPECT_EQ(PointOf(tcp::kAcceptQueue, ""), nullptr);
}

TEST_F(TcpStatsTest, ATimeThatWentBackCountsOnce) {
  for (const int64_t busy_ns : {5, 4, 6}) {
    stats_.OnSample(Ends("a"), kConnected, {.id = 1, .busy_ns = busy_ns * 1'000'000'000});
  }
  Close();
  EXPECT_EQ(Value(tcp::kBusyTime, "a"), 6);
}

TEST_F(TcpStatsTest, KindsAreBounded) {
  for (int error = 1; error <= 1000; ++error) stats_.OnConnect(Ends("a"), 10'000 + error, 0);
  Close();
  EXPECT_EQ(Value(tcp::kConnects, "a", tcp::kResult, "10001"), 1);
  EXPECT_EQ(Value(tcp::kConnects, "a", tcp::kResult, "(other)"), 1000 - 64);
}

TEST_F(TcpStatsTest, AListenerWhoseEndWasLostIsForgotten) {
  stats_.OnListener(Ends(""), {.id = 1, .drops = 4});
  EXPECT_EQ(stats_.listeners(), 1);
  for (int window = 0; window < 40; ++window) Close();
  EXPECT_EQ(stats_.listeners(), 0);
}

TEST(TcpStatsLimitsTest, BeyondTheCapsNothingIsLost) {
  TcpStats stats({.max_edges = 2, .max_sampled = 2});
  for (ConnId id = 1; id <= 5; ++id) {
    stats.OnConnect(Ends("client" + std::to_string(id)), 0, kMs);
    stats.OnSample(Ends("a"), kConnected, {.id = id, .sent_bytes = 10});
    stats.OnSample(Ends("a"), kConnected, {.id = id, .sent_bytes = 15});
  }
  EXPECT_EQ(stats.rows(), 3);  // two, and (other)
  EXPECT_EQ(stats.sampled(), 2);
  for (ConnId id = 1; id <= 5; ++id) {
    stats.OnSample(Ends("a"), kConnected, {.id = id, .sent_bytes = 20, .ended = true});
  }
  model::Batch batch;
  stats.EmitWindow(10, batch);
  double connects = 0, bytes = 0;
  for (const model::MetricPoint& point : batch.points) {
    const model::MetricSeries& series = batch.series[point.series];
    if (series.name == tcp::kConnects) connects += point.value;
    if (series.name == tcp::kSentBytes) bytes += point.value;
  }
  EXPECT_EQ(connects, 5);
  EXPECT_EQ(bytes, 100);
}

}  // namespace
}  // namespace kindling::agent
