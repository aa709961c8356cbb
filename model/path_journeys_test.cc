#include "model/path_journeys.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

namespace kindling::model {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr int64_t kMs = 1'000'000;

const PathTuple kThere{"10.0.0.1", "10.0.0.2", 4000, 80, 6};
const PathTuple kTranslated{"10.1.0.1", "10.1.0.2", 5000, 8080, 6};

struct HopOf {
  std::string node = "n1";
  uint64_t packet = 1;
  PathPlace place = PathPlace::kQueued;
  int64_t wall_ns = 0;
  PathTuple tuple = kThere;
  uint32_t sequence = 100;
  uint16_t ip_id = 7;
  bool is_new = false;
  bool of_socket = false;
  std::string network_namespace = "client";

  operator PathHop() const {
    PathHop hop;
    hop.node = node;
    hop.packet = packet;
    hop.place = place;
    hop.wall_ns = wall_ns;
    hop.tuple = tuple;
    hop.sequence = sequence;
    hop.ip_id = ip_id;
    hop.is_new = is_new;
    hop.of_socket = of_socket;
    hop.network_namespace = network_namespace;
    return hop;
  }
};

std::vector<PathPlace> PlacesOf(const PathJourney& journey) {
  std::vector<PathPlace> places;
  for (const PathHop& hop : journey.hops) places.push_back(hop.place);
  return places;
}

TEST(JourneyTableTest, HopsOfOnePacketAreAJourneyInTheOrderOfTime) {
  JourneyTable table;
  table.Add(HopOf{.place = PathPlace::kReceived, .wall_ns = 30}, 0);
  table.Add(HopOf{.wall_ns = 10, .is_new = true}, 0);
  table.Add(HopOf{.place = PathPlace::kSocket, .wall_ns = 60}, 0);
  table.Add(HopOf{.place = PathPlace::kTransmit, .wall_ns = 20}, 0);
  EXPECT_THAT(table.Take(299 * kMs), IsEmpty());
  const auto journeys = table.Take(300 * kMs);
  ASSERT_THAT(journeys, SizeIs(1));
  EXPECT_THAT(PlacesOf(journeys[0]), ElementsAre(PathPlace::kQueued, PathPlace::kTransmit,
                                                 PathPlace::kReceived, PathPlace::kSocket));
  EXPECT_EQ(journeys[0].outcome, PathOutcome::kDelivered);
  EXPECT_EQ(journeys[0].drop(), nullptr);
  EXPECT_EQ(journeys[0].SinceLastNs(0), 0);
  EXPECT_EQ(journeys[0].SinceLastNs(3), 30);
  EXPECT_EQ(journeys[0].SinceLastNs(4), 0);
  EXPECT_EQ(table.size(), 0);
}

TEST(JourneyTableTest, AnotherHostsHopsJoinByWhatStays) {
  JourneyTable table;
  // The second host's come first, with a packet number that the first host has for another packet.
  table.Add(
      HopOf{
          .node = "n2", .packet = 9, .place = PathPlace::kReceived, .wall_ns = 500, .is_new = true},
      0);
  table.Add(HopOf{.packet = 9, .sequence = 555, .is_new = true, .of_socket = true}, 0);
  table.Add(HopOf{.packet = 1, .wall_ns = 100, .is_new = true, .of_socket = true}, 0);
  const auto journeys = table.Take(0, true);
  ASSERT_THAT(journeys, SizeIs(2));
  EXPECT_THAT(PlacesOf(journeys[0]), ElementsAre(PathPlace::kQueued, PathPlace::kReceived));
  EXPECT_TRUE(journeys[0].CrossesClocks(1));
  EXPECT_FALSE(journeys[0].CrossesClocks(0));
}

TEST(JourneyTableTest, HostsJoinByTranslatedAddressesToo) {
  JourneyTable table;
  table.Add(HopOf{.is_new = true, .of_socket = true}, 0);
  table.Add(HopOf{.place = PathPlace::kTransmit, .wall_ns = 5, .tuple = kTranslated}, 0);
  table.Add(HopOf{.node = "n2",
                  .packet = 4,
                  .place = PathPlace::kReceived,
                  .wall_ns = 9,
                  .tuple = kTranslated,
                  .is_new = true},
            0);
  // Of these addresses nothing is known.
  table.Add(HopOf{.node = "n2",
                  .packet = 5,
                  .wall_ns = 9,
                  .tuple = {"10.9.9.9", "10.1.0.2", 1, 2, 6},
                  .is_new = true},
            0);
  const auto journeys = table.Take(0, true);
  ASSERT_THAT(journeys, SizeIs(2));
  EXPECT_THAT(journeys[0].hops, SizeIs(3));
}

TEST(JourneyTableTest, WhatASocketSendsAgainIsAnotherJourney) {
  JourneyTable table;
  table.Add(HopOf{.packet = 1, .is_new = true, .of_socket = true}, 0);
  table.Add(HopOf{.packet = 2, .wall_ns = 200 * kMs, .is_new = true, .of_socket = true}, 0);
  EXPECT_THAT(table.Take(0, true), SizeIs(2));
}

TEST(JourneyTableTest, HopsFarApartAreNotOfOnePacket) {
  JourneyTable table;
  table.Add(HopOf{.packet = 1, .is_new = true}, 0);
  table.Add(HopOf{.node = "n2", .packet = 2, .wall_ns = 1001 * kMs, .is_new = true}, 0);
  EXPECT_THAT(table.Take(0, true), SizeIs(2));
}

TEST(JourneyTableTest, ADropIsTheOutcomeAndItsHopIsGiven) {
  JourneyTable table;
  table.Add(HopOf{.is_new = true, .of_socket = true}, 0);
  PathHop drop = HopOf{.place = PathPlace::kDropped, .wall_ns = 9};
  drop.reason = "netfilter_drop";
  table.Add(drop, 0);
  const auto journeys = table.Take(0, true);
  ASSERT_THAT(journeys, SizeIs(1));
  EXPECT_EQ(journeys[0].outcome, PathOutcome::kDropped);
  ASSERT_NE(journeys[0].drop(), nullptr);
  EXPECT_EQ(journeys[0].drop()->reason, "netfilter_drop");
}

TEST(JourneyTableTest, ADroppedCopyIsNoDropOfThePacket) {
  JourneyTable table;
  table.Add(HopOf{.packet = 1, .is_new = true, .of_socket = true}, 0);
  table.Add(HopOf{.packet = 2, .wall_ns = 1, .is_new = true}, 0);  // a bridge's copy
  table.Add(HopOf{.packet = 1, .place = PathPlace::kSocket, .wall_ns = 2}, 0);
  table.Add(HopOf{.packet = 2, .place = PathPlace::kDropped, .wall_ns = 3}, 0);
  const auto journeys = table.Take(0, true);
  ASSERT_THAT(journeys, SizeIs(1));
  EXPECT_EQ(journeys[0].outcome, PathOutcome::kDelivered);
}

TEST(JourneyTableTest, WhatASocketThrewAwayIsDroppedUnlessNothingWasInIt) {
  for (const uint32_t payload_bytes : {0, 5}) {
    for (const char* reason : {"not_specified", "tcp_old_sequence"}) {
      JourneyTable table;
      PathHop socket = HopOf{.place = PathPlace::kSocket, .is_new = true};
      PathHop drop = HopOf{.place = PathPlace::kDropped, .wall_ns = 3};
      socket.payload_bytes = drop.payload_bytes = payload_bytes;
      drop.reason = reason;
      table.Add(socket, 0);
      table.Add(drop, 0);
      const bool is_leftover = payload_bytes == 0 && drop.reason == "not_specified";
      EXPECT_EQ(table.Take(0, true).at(0).outcome,
                is_leftover ? PathOutcome::kDelivered : PathOutcome::kDropped);
    }
  }
}

TEST(JourneyTableTest, AtTheHostOfItsReceiverAPacketHasArrived) {
  JourneyTable table;
  const PathTuple back{"10.0.0.2", "10.0.0.1", 80, 4000, 6};
  table.Add(HopOf{.packet = 1, .is_new = true, .of_socket = true}, 0);
  table.Add(HopOf{.packet = 2,
                  .place = PathPlace::kReceived,
                  .tuple = back,
                  .sequence = 1,
                  .is_new = true,
                  .network_namespace = "router"},
            0);
  table.Add(
      HopOf{
          .packet = 3, .place = PathPlace::kReceived, .tuple = back, .sequence = 2, .is_new = true},
      0);
  const auto journeys = table.Take(0, true);
  ASSERT_THAT(journeys, SizeIs(3));
  EXPECT_EQ(journeys[0].outcome, PathOutcome::kUnfinished);
  EXPECT_EQ(journeys[1].outcome, PathOutcome::kUnfinished);
  EXPECT_EQ(journeys[2].outcome, PathOutcome::kArrived);
}

TEST(JourneyTableTest, ALostBeginningIsSaid) {
  JourneyTable table;
  table.Add(HopOf{.place = PathPlace::kReceived}, 0);
  const auto journeys = table.Take(0, true);
  ASSERT_THAT(journeys, SizeIs(1));
  EXPECT_TRUE(journeys[0].is_partial);
}

TEST(JourneyTableTest, LateHopsAreCounted) {
  JourneyTable table;
  table.Add(HopOf{.is_new = true}, 0);
  EXPECT_THAT(table.Take(300 * kMs), SizeIs(1));
  table.Add(HopOf{.place = PathPlace::kRead, .wall_ns = 400 * kMs}, 400 * kMs);
  EXPECT_EQ(table.counts().late_hops, 1);
  EXPECT_THAT(table.Take(0, true), IsEmpty());
  // The same number once more, of an agent that began anew.
  table.Add(HopOf{.is_new = true}, 500 * kMs);
  EXPECT_THAT(table.Take(0, true), SizeIs(1));
}

TEST(JourneyTableTest, EndlessJourneysKeepTheirEnd) {
  JourneyTable table({.hops = 4});
  for (int i = 0; i < 10; ++i) table.Add(HopOf{.wall_ns = i, .is_new = i == 0}, 0);
  table.Add(HopOf{.place = PathPlace::kDropped, .wall_ns = 10}, 0);
  const auto journeys = table.Take(0, true);
  ASSERT_THAT(journeys, SizeIs(1));
  EXPECT_THAT(journeys[0].hops, SizeIs(4));
  EXPECT_EQ(journeys[0].outcome, PathOutcome::kDropped);
  EXPECT_EQ(journeys[0].hops_beyond, 7);
  EXPECT_EQ(table.counts().hops_beyond, 7);
}

TEST(JourneyTableTest, TheOldestGivesWay) {
  JourneyTable table({.journeys = 3, .remembered = 2});
  for (uint64_t i = 1; i <= 10; ++i) {
    table.Add(HopOf{.packet = i, .sequence = static_cast<uint32_t>(i), .is_new = true}, 0);
    EXPECT_LE(table.size(), 3);
  }
  EXPECT_EQ(table.counts().ended_early, 7);
  const auto journeys = table.Take(0, true);
  ASSERT_THAT(journeys, SizeIs(10));
  EXPECT_EQ(journeys[0].hops[0].packet, 1);
}

TEST(JourneyTableTest, AHopWithoutAPlaceIsNone) {
  JourneyTable table;
  table.Add(HopOf{.place = PathPlace::kUnknown}, 0);
  EXPECT_EQ(table.counts().invalid_hops, 1);
  EXPECT_EQ(table.size(), 0);
}

TEST(JourneyTableTest, AnythingInAnyOrderLosesNoHop) {
  std::mt19937 random(1);
  for (int round = 0; round < 50; ++round) {
    JourneyTable table({.journeys = 20, .hops = 8, .linger_ns = 50, .remembered = 10});
    uint64_t added = 0, taken = 0;
    const auto count = [&](const std::vector<PathJourney>& journeys) {
      for (const PathJourney& journey : journeys) {
        EXPECT_FALSE(journey.hops.empty());
        EXPECT_EQ(journey.drop() != nullptr, journey.outcome == PathOutcome::kDropped);
        taken += journey.hops.size() + journey.hops_beyond;
      }
    };
    for (int i = 0; i < 2000; ++i) {
      table.Add(HopOf{.node = random() % 2 ? "n1" : "n2",
                      .packet = random() % 60,
                      .place = static_cast<PathPlace>(1 + random() % 13),
                      .wall_ns = static_cast<int64_t>(random()) - (1LL << 31),
                      .tuple = random() % 2 ? kThere : kTranslated,
                      .sequence = static_cast<uint32_t>(random() % 5),
                      .ip_id = 0,
                      .is_new = random() % 3 == 0,
                      .of_socket = random() % 2 == 0},
                i);
      ++added;
      if (random() % 50 == 0) count(table.Take(i));
    }
    count(table.Take(0, true));
    EXPECT_EQ(added, taken + table.counts().late_hops);
    EXPECT_EQ(table.size(), 0);
  }
}

}  // namespace
}  // namespace kindling::model
