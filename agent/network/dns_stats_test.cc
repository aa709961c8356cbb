#include "agent/network/dns_stats.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>

#include "model/dns_metrics.h"

namespace kindling::agent {
namespace {

namespace metrics = model::dns;
using dns::QueryStage;
using model::Transport;

constexpr int64_t kMs = 1'000'000;
constexpr int64_t kSecond = 1000 * kMs;
constexpr uint8_t kNxDomain = 3;

// A client's queries and the windows that they give.
class DnsStatsTest : public testing::Test {
 protected:
  explicit DnsStatsTest(const DnsStats::Options& options = {}) : stats_(options) {}

  struct Ask {
    std::string name = "db.test";
    std::string type = "A";
    Transport transport = Transport::kUdp;
    uint32_t process = 7;
    uint8_t server = 1;
    bool is_repeated = false;
    int64_t sent_ns = 0;
    bool is_overdue = false;
  };
  void Tell(const Ask& ask, QueryStage stage, uint8_t rcode = 0, bool is_truncated = false) {
    const model::EdgeEnds ends{
        .observer = model::Side::kClient,
        .client = {.workload = "shop"},
        .server = {.address = "10.0.0." + std::to_string(ask.server), .port = 53}};
    DnsAsker asker{.observer = model::Side::kClient, .owner = ask.process, .port = 53};
    asker.peer.bytes[3] = ask.server;
    asker.peer.size = 4;
    stats_.OnQuery(ends, ask.transport, asker,
                   {.stage = stage,
                    .name = ask.name,
                    .operation = ask.type,
                    .sent_ns = ask.sent_ns,
                    .at_ns = now_ns_,
                    .is_repeated = ask.is_repeated,
                    .is_overdue = ask.is_overdue,
                    .is_truncated = is_truncated,
                    .rcode = rcode});
  }
  Ask Send(Ask ask) {
    now_ns_ += kMs;
    ask.sent_ns = now_ns_;
    Tell(ask, QueryStage::kSent);
    return ask;
  }
  void Answer(const Ask& ask, uint8_t rcode = 0, bool is_truncated = false) {
    now_ns_ += kMs;
    Tell(ask, QueryStage::kAnswered, rcode, is_truncated);
  }
  void Lookup(const Ask& ask, uint8_t rcode = 0) { Answer(Send(ask), rcode); }
  Ask TimeOut(Ask ask) {
    now_ns_ = ask.sent_ns + dns::kQueryTimeoutNs;
    Tell(ask, QueryStage::kOverdue);
    ask.is_overdue = true;
    return ask;
  }

  model::Batch Window() {
    model::Batch batch;
    stats_.EmitWindow(10, batch);
    return batch;
  }
  // The sum of a metric's points whose series have all of `labels`.
  static double Sum(const model::Batch& batch, const char* name, const model::Labels& labels = {}) {
    double sum = 0;
    for (const model::MetricPoint& point : batch.points) {
      const model::MetricSeries& series = batch.series[point.series];
      if (series.name != name) continue;
      EXPECT_EQ(point.time_ns, 10);
      bool has_all = true;
      for (const auto& [label, value] : labels) {
        has_all = has_all && model::LabelOf(series.labels, label) == value;
      }
      if (!has_all) continue;
      sum += series.kind == model::MetricKind::kHistogram
                 ? static_cast<double>(point.histogram.count())
                 : point.value;
    }
    return sum;
  }

  DnsStats stats_;
  int64_t now_ns_ = kSecond;
};

TEST_F(DnsStatsTest, QueriesByNameTypeAndResult) {
  Lookup({});
  Lookup({});
  Lookup({.type = "AAAA"});
  Lookup({.name = "nosuch.test"}, kNxDomain);
  Lookup({.name = "broken.test"}, 2);
  Lookup({.transport = Transport::kTcp});
  const model::Batch batch = Window();
  EXPECT_EQ(Sum(batch, metrics::kQueries), 6);
  EXPECT_EQ(Sum(batch, metrics::kQueries,
                {{"name", "db.test"}, {"result", "NOERROR"}, {"transport", "udp"}, {"type", "A"}}),
            2);
  EXPECT_EQ(Sum(batch, metrics::kQueries, {{"type", "AAAA"}, {"client", "shop"}}), 1);
  EXPECT_EQ(Sum(batch, metrics::kQueries, {{"result", "NXDOMAIN"}, {"name", "nosuch.test"}}), 1);
  EXPECT_EQ(Sum(batch, metrics::kQueries, {{"result", "SERVFAIL"}, {"name", "broken.test"}}), 1);
  EXPECT_EQ(Sum(batch, metrics::kQueries, {{"transport", "tcp"}}), 1);
  EXPECT_EQ(Sum(batch, metrics::kLatency), 6);
  EXPECT_EQ(Sum(batch, metrics::kRetries), 0);
  EXPECT_TRUE(Window().empty()) << "nothing is told twice";
}

TEST_F(DnsStatsTest, AnUnansweredQueryIsOneTimeoutAtItsTime) {
  const Ask sent = Send({});
  EXPECT_TRUE(Window().empty()) << "it may be answered yet";
  const Ask overdue = TimeOut(sent);
  EXPECT_EQ(Sum(Window(), metrics::kQueries, {{"result", "timeout"}}), 1);
  now_ns_ += kSecond;
  Tell(overdue, QueryStage::kUnanswered);
  EXPECT_TRUE(Window().empty()) << "it was counted";
}

TEST_F(DnsStatsTest, ASocketThatClosesBeforeIsATimeoutToo) {
  const Ask sent = Send({});
  now_ns_ += kSecond;
  Tell(sent, QueryStage::kUnanswered);
  const model::Batch batch = Window();
  EXPECT_EQ(Sum(batch, metrics::kQueries, {{"result", "timeout"}}), 1);
  EXPECT_EQ(Sum(batch, metrics::kLatency), 0);
}

TEST_F(DnsStatsTest, ALateAnswerIsNoFurtherQuery) {
  Answer(TimeOut(Send({})), kNxDomain);
  const model::Batch batch = Window();
  EXPECT_EQ(Sum(batch, metrics::kQueries), 1);
  EXPECT_EQ(Sum(batch, metrics::kQueries, {{"result", "timeout"}}), 1);
  EXPECT_EQ(Sum(batch, metrics::kLateAnswers), 1);
  ASSERT_EQ(Sum(batch, metrics::kLatency), 1);
  for (const model::MetricPoint& point : batch.points) {
    if (point.histogram.count() == 0) continue;
    EXPECT_GT(point.histogram.min_ns(), dns::kQueryTimeoutNs);
  }
}

TEST_F(DnsStatsTest, WhatMayHaveBeenAnsweredIsNoTimeout) {
  Tell(Send({}), QueryStage::kUnknown);
  const model::Batch batch = Window();
  EXPECT_EQ(Sum(batch, metrics::kQueries), 1);
  EXPECT_EQ(Sum(batch, metrics::kQueries, {{"result", "unknown"}}), 1);
}

TEST_F(DnsStatsTest, ARepetitionOnItsSocketIsARetry) {
  const Ask first = Send({});
  const Ask second = Send({.is_repeated = true});
  Answer(second);
  Tell(first, QueryStage::kUnanswered);
  const model::Batch batch = Window();
  EXPECT_EQ(Sum(batch, metrics::kRetries, {{"name", "db.test"}}), 1);
  EXPECT_EQ(Sum(batch, metrics::kQueries), 2);
}

TEST_F(DnsStatsTest, ANewSocketAfterATimeoutIsARetry) {
  TimeOut(Send({}));  // its socket stays open
  Send({});
  EXPECT_EQ(Sum(Window(), metrics::kRetries), 1);
}

TEST_F(DnsStatsTest, ARetryAfterLessThanItsSecondIsOne) {
  Send({});
  now_ns_ += 950 * kMs;  // the first was late
  Send({});
  now_ns_ += 700 * kMs;
  Send({});
  EXPECT_EQ(Sum(Window(), metrics::kRetries), 1);
}

TEST_F(DnsStatsTest, ANewSocketRightAfterTheOldOneIsARetry) {
  Tell(Send({}), QueryStage::kUnanswered);
  Answer(Send({}));
  Send({});
  EXPECT_EQ(Sum(Window(), metrics::kRetries), 1) << "the one after the answer is none";
}

TEST_F(DnsStatsTest, OtherLookupsAreNoRetries) {
  Send({});
  Send({});  // another thread, at the same time
  now_ns_ += 2 * kSecond;
  Send({.name = "web.test"});
  Send({.type = "AAAA"});
  Send({.process = 8});
  Send({.server = 2});
  now_ns_ += 2 * DnsLookups::kMostRetryNs;
  Send({});  // after so long a lookup of its own
  const Ask given_up = Send({.name = "old.test"});
  Tell(given_up, QueryStage::kUnanswered);
  now_ns_ += 2 * DnsLookups::kGoesOnWithinNs;
  Send({.name = "old.test"});
  EXPECT_EQ(Sum(Window(), metrics::kRetries), 0);
}

TEST_F(DnsStatsTest, TcpAfterATruncatedAnswerIsAFallback) {
  Answer(Send({}), 0, /*is_truncated=*/true);
  Answer(Send({.transport = Transport::kTcp}));
  Answer(Send({.transport = Transport::kTcp}));  // of its own accord
  Answer(Send({.name = "web.test"}), 0, true);   // nobody goes on
  Answer(Send({.transport = Transport::kTcp, .process = 8}));
  const model::Batch batch = Window();
  EXPECT_EQ(Sum(batch, metrics::kTruncated), 2);
  EXPECT_EQ(Sum(batch, metrics::kTcpFallbacks), 1);
  EXPECT_EQ(Sum(batch, metrics::kTcpFallbacks, {{"transport", "tcp"}, {"name", "db.test"}}), 1);
  EXPECT_EQ(Sum(batch, metrics::kRetries), 0);
}

TEST_F(DnsStatsTest, TheWayThroughASearchListIsWaste) {
  for (const char* type : {"A", "AAAA"}) {
    Lookup({.name = "api.shop.test.a.svc.local", .type = type}, kNxDomain);
    Lookup({.name = "api.shop.test.svc.local", .type = type}, kNxDomain);
    Lookup({.name = "api.shop.test.local", .type = type, .process = 8}, kNxDomain);
    Lookup({.name = "api.shop.test", .type = type});
  }
  const model::Batch batch = Window();
  EXPECT_EQ(Sum(batch, metrics::kSearchWaste, {{"name", "api.shop.test"}}), 4);
  EXPECT_EQ(Sum(batch, metrics::kSearchWaste), 4) << "another process's is not of it";
  EXPECT_EQ(Sum(batch, metrics::kQueries), 8);
}

TEST_F(DnsStatsTest, ANameThatIsNowhereIsNoWaste) {
  Lookup({.name = "typo.svc.local"}, kNxDomain);
  Lookup({.name = "typo"}, kNxDomain);
  Lookup({.name = "db.svc.local"}, kNxDomain);
  Lookup({.name = "db"}, 2);
  EXPECT_EQ(Sum(Window(), metrics::kSearchWaste), 0);
}

TEST_F(DnsStatsTest, NamesAreTemplates) {
  Lookup({.name = "10-244-0-17.default.pod.cluster.local"});
  Lookup({.name = "10-244-0-18.default.pod.cluster.local"});
  Lookup({.name = "4.3.2.1.in-addr.arpa", .type = "PTR"});
  Lookup({.name = "a1b2c3d4e5f60718293a4b5c6d7e8f90.cdn.test"});
  Lookup({.name = "?\x01?.evil.test"});
  Lookup({.name = std::string(63, 'x') + "." + std::string(63, 'y') + "." + std::string(63, 'z')});
  const model::Batch batch = Window();
  for (const auto& [name, count] : {std::pair{"*.default.pod.cluster.local", 2},
                                    {"*.in-addr.arpa", 1},
                                    {"*.cdn.test", 1},
                                    {"*.evil.test", 1},
                                    {"*", 1}}) {
    EXPECT_EQ(Sum(batch, metrics::kQueries, {{"name", name}}), count) << name;
  }
}

class CappedDnsStatsTest : public DnsStatsTest {
 protected:
  CappedDnsStatsTest()
      : DnsStatsTest({.max_edges = 2,
                      .max_names_of_edge = 3,
                      .max_names = 5,
                      .lookups = {.max_questions = 4, .max_failed = 2}}) {}

  static std::string Name(int i) { return std::string(1, static_cast<char>('a' + i)) + ".test"; }
};

TEST_F(CappedDnsStatsTest, NamesBeyondTheCapsAreSummed) {
  for (uint8_t server = 1; server <= 2; ++server) {
    for (int i = 0; i < 6; ++i) Lookup({.name = Name(i), .server = server});
  }
  const model::Batch batch = Window();
  EXPECT_EQ(Sum(batch, metrics::kQueries), 12);
  EXPECT_EQ(Sum(batch, metrics::kQueries, {{"name", "(other)"}, {"server_address", "10.0.0.1"}}),
            3);
  EXPECT_EQ(Sum(batch, metrics::kQueries, {{"name", "(other)"}, {"server_address", "10.0.0.2"}}),
            4);
  EXPECT_EQ(stats_.names(), 5u);
}

TEST_F(CappedDnsStatsTest, NamesKeepTheirPlaceUntilTheyAreOfNoUse) {
  for (int i = 0; i < 3; ++i) Lookup({.name = Name(i)});
  Window();
  Lookup({.name = Name(7)});
  EXPECT_EQ(Sum(Window(), metrics::kQueries, {{"name", "(other)"}}), 1);
  for (uint64_t i = 0; i <= DnsStats::kForgottenAfter; ++i) EXPECT_TRUE(Window().empty());
  EXPECT_EQ(stats_.names(), 0u);
  EXPECT_EQ(stats_.edges(), 0u);
  Lookup({.name = Name(7)});
  EXPECT_EQ(Sum(Window(), metrics::kQueries, {{"name", "h.test"}}), 1);
}

TEST_F(CappedDnsStatsTest, EdgesBeyondTheCapAreSummed) {
  for (uint8_t server = 1; server <= 5; ++server) Lookup({.server = server});
  const model::Batch batch = Window();
  EXPECT_EQ(Sum(batch, metrics::kQueries), 5);
  EXPECT_EQ(Sum(batch, metrics::kQueries, {{"server", "(other)"}}), 3);
}

TEST_F(CappedDnsStatsTest, RemembersNoMoreThanItMay) {
  for (int i = 0; i < 10; ++i) {
    Send({.name = Name(i)});
    Lookup({.name = Name(i) + ".local"}, kNxDomain);
  }
  EXPECT_LE(stats_.lookups().questions(), 4u);
  EXPECT_LE(stats_.lookups().failed(), 2u);
  // What was given up or found wanting is of no consequence after a while.
  Tell(Send({.name = "z.test"}), QueryStage::kUnanswered);
  now_ns_ += 2 * DnsSearch::kWithinNs;
  Lookup({});
  Window();
  EXPECT_EQ(stats_.lookups().failed(), 0u);
}

}  // namespace
}  // namespace kindling::agent
