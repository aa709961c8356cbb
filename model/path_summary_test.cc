#include "model/path_summary.h"

#include <gtest/gtest.h>

#include <string>

namespace kindling::model {
namespace {

PathHop Hop(const std::string& where, PathPlace place, int64_t wall_ns, bool is_reply = false) {
  PathHop hop;
  hop.node = "n1";
  hop.network_namespace = where;
  hop.place = place;
  hop.wall_ns = wall_ns;
  hop.is_reply = is_reply;
  return hop;
}

PathJourney Dropped(const std::string& reason) {
  PathJourney journey;
  journey.hops = {Hop("client", PathPlace::kQueued, 0), Hop("router", PathPlace::kDropped, 50)};
  journey.hops[1].reason = reason;
  journey.outcome = PathOutcome::kDropped;
  return journey;
}

TEST(PathSummaryTest, PlacesInTheOrderOfTheWayThereThenBack) {
  PathSummary summary;
  for (int i = 1; i <= 10; ++i) {
    PathJourney back;
    back.hops = {Hop("server", PathPlace::kQueued, 0, true)};
    summary.Add(back);
    PathJourney there;
    there.hops = {Hop("client", PathPlace::kQueued, 0),
                  Hop("router", PathPlace::kReceived, 1000 * i),
                  Hop("alpha", PathPlace::kSocket, 1000 * i + 500)};
    there.outcome = PathOutcome::kDelivered;
    summary.Add(there);
  }
  const auto rows = summary.Rows();
  ASSERT_EQ(rows.size(), 4);
  EXPECT_EQ(rows[0].network_namespace, "client");
  EXPECT_EQ(rows[0].since_last.count(), 0);
  EXPECT_EQ(rows[1].network_namespace, "router");
  EXPECT_EQ(rows[1].packets, 10);
  EXPECT_EQ(rows[1].since_last.count(), 10);
  EXPECT_EQ(rows[1].since_last.max_ns(), 10000);
  EXPECT_EQ(rows[2].network_namespace, "alpha");
  EXPECT_EQ(rows[2].since_last.min_ns(), 500);
  EXPECT_TRUE(rows[3].is_reply);
  EXPECT_EQ(summary.packets(), 20);
  EXPECT_EQ(summary.CountOf(PathOutcome::kDelivered), 10);
  EXPECT_EQ(summary.CountOf(PathOutcome::kUnfinished), 10);
}

TEST(PathSummaryTest, DropsAreRowsByReason) {
  PathSummary summary;
  summary.Add(Dropped("netfilter_drop"));
  summary.Add(Dropped("netfilter_drop"));
  summary.Add(Dropped("no_socket"));
  const auto rows = summary.Rows();
  ASSERT_EQ(rows.size(), 3);
  EXPECT_EQ(rows[1].reason, "netfilter_drop");
  EXPECT_EQ(rows[1].packets, 2);
  EXPECT_EQ(rows[2].reason, "no_socket");
}

TEST(PathSummaryTest, TimesByTwoClocksAreNoTimes) {
  PathJourney journey;
  journey.hops = {Hop("a", PathPlace::kTransmit, 1000), Hop("b", PathPlace::kReceived, 10)};
  journey.hops[1].node = "n2";
  PathSummary summary;
  summary.Add(journey);
  const auto rows = summary.Rows();
  ASSERT_EQ(rows.size(), 2);
  EXPECT_EQ(rows[1].across_clocks, 1);
  EXPECT_EQ(rows[1].since_last.count(), 0);
}

TEST(PathSummaryTest, PlacesBeyondTheMostAreOneRow) {
  PathSummary summary;
  for (size_t i = 0; i < PathSummary::kRowsMax + 100; ++i) {
    PathJourney journey;
    journey.hops = {Hop("ns" + std::to_string(i), PathPlace::kQueued, 0)};
    summary.Add(journey);
  }
  const auto rows = summary.Rows();
  EXPECT_EQ(rows.size(), PathSummary::kRowsMax + 1);
  uint64_t packets = 0;
  for (const PathSummary::Row& row : rows) packets += row.packets;
  EXPECT_EQ(packets, PathSummary::kRowsMax + 100);
}

}  // namespace
}  // namespace kindling::model
