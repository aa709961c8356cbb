#include "agent/network/nat_stats.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace kindling::agent {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

constexpr auto kTcp = model::Transport::kTcp;

Endpoint At(uint8_t a, uint8_t b, uint16_t port) {
  return {.address = {.bytes = {10, a, 0, b}, .size = 4}, .port = port};
}

const Endpoint kClient = At(1, 5, 40000);
const Endpoint kService = At(96, 1, 80);
const Endpoint kServer = At(2, 7, 8080);
const Endpoint kRouter = At(9, 9, 1024);

NatEvent Event(NatEventKind kind, const Endpoint& client = kClient,
               const Endpoint& server = kServer, const Endpoint& seen_as = kClient,
               uint32_t netns = 1) {
  return {.kind = kind,
          .netns = netns,
          .transport = kTcp,
          .client = client,
          .asked = kService,
          .server = server,
          .seen_as = seen_as};
}

class NatStatsTest : public ::testing::Test {
 protected:
  std::vector<std::string> Emit(NatStats& stats) {
    model::Batch batch;
    stats.EmitWindow(1000, batch);
    std::vector<std::string> lines;
    for (const model::MetricPoint& point : batch.points) {
      const model::MetricSeries& series = batch.series[point.series];
      std::string line = series.name;
      for (const auto& [name, value] : series.labels) {
        line.append(" ").append(name).append("=").append(value);
      }
      lines.push_back(line + " " + std::to_string(static_cast<int>(point.value)));
    }
    return lines;
  }

  NatStats stats_{{.host = "n1", .max_rows = 3, .table = {.max_flows = 4}}};
  NatTable& table_ = stats_.table();
};

TEST_F(NatStatsTest, BothEndsFindTheTrueOther) {
  stats_.OnEvent(Event(NatEventKind::kNew, kClient, kServer, kRouter));
  const NatView view{kClient, kService, kServer, kRouter};
  EXPECT_EQ(table_.OfClient(kTcp, 7, kClient, kService), view);
  EXPECT_EQ(table_.OfServer(kTcp, 8, kServer, kRouter), view);
  EXPECT_EQ(table_.OfClient(kTcp, 7, kClient, kServer), std::nullopt);
  EXPECT_EQ(table_.OfClient(model::Transport::kUdp, 7, kClient, kService), std::nullopt);
  EXPECT_EQ(table_.OfServer(kTcp, 7, kServer, kClient), std::nullopt);
  // A dual-stack socket has the address in another form.
  Endpoint mapped = kService;
  mapped.address = {.bytes = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 96, 0, 1}, .size = 16};
  EXPECT_EQ(table_.OfClient(kTcp, 7, kClient, mapped), view);
  stats_.OnEvent(Event(NatEventKind::kEnded, kClient, kServer, kRouter));
  EXPECT_EQ(table_.OfClient(kTcp, 7, kClient, kService), std::nullopt);
  EXPECT_EQ(table_.size(), 0u);
}

TEST_F(NatStatsTest, NamespacesOneAfterTheOther) {
  stats_.OnEvent(Event(NatEventKind::kNew));  // the first changes the destination,
  NatEvent next = Event(NatEventKind::kNew, kClient, kServer, kRouter, 2);
  next.asked = kServer;  // the second the source
  stats_.OnEvent(next);
  const NatView whole{kClient, kService, kServer, kRouter};
  EXPECT_EQ(table_.OfClient(kTcp, 0, kClient, kService), whole);
  EXPECT_EQ(table_.OfServer(kTcp, 0, kServer, kRouter), whole);
}

TEST_F(NatStatsTest, TheSameAddressesInTwoNetworks) {
  stats_.OnEvent(Event(NatEventKind::kNew));
  stats_.OnEvent(Event(NatEventKind::kNew, kClient, At(3, 3, 1), kClient, 2));
  EXPECT_EQ(table_.OfClient(kTcp, 1, kClient, kService)->server, kServer);
  EXPECT_EQ(table_.OfClient(kTcp, 2, kClient, kService)->server, At(3, 3, 1));
  EXPECT_EQ(table_.OfClient(kTcp, 3, kClient, kService), std::nullopt);  // not clear
}

TEST_F(NatStatsTest, AListTellsWhatIsGone) {
  stats_.OnEvent(Event(NatEventKind::kFound, At(1, 1, 1)));
  stats_.OnEvent(Event(NatEventKind::kFound, At(1, 2, 1)));
  stats_.OnEvent(Event(NatEventKind::kFound, At(1, 3, 1), kServer, kClient, 2));
  stats_.OnEvent({.kind = NatEventKind::kListBegin, .netns = 1});
  stats_.OnEvent(Event(NatEventKind::kFound, At(1, 2, 1)));
  stats_.OnEvent(Event(NatEventKind::kNew, At(1, 4, 1)));  // not in the list, for it began after
  stats_.OnEvent({.kind = NatEventKind::kListEnd, .netns = 1});
  EXPECT_EQ(table_.OfClient(kTcp, 0, At(1, 1, 1), kService), std::nullopt);
  for (const uint8_t there : {2, 3, 4}) {
    EXPECT_NE(table_.OfClient(kTcp, 0, At(1, there, 1), kService), std::nullopt);
  }
  stats_.OnEvent({.kind = NatEventKind::kListEnd, .netns = 9});  // of a list that never began
}

TEST_F(NatStatsTest, TheOldestIsForgottenForANewOne) {
  for (uint8_t i = 1; i <= 6; ++i) stats_.OnEvent(Event(NatEventKind::kFound, At(1, i, 1)));
  EXPECT_EQ(table_.size(), 4u);
  EXPECT_EQ(table_.OfClient(kTcp, 0, At(1, 2, 1), kService), std::nullopt);
  EXPECT_NE(table_.OfClient(kTcp, 0, At(1, 3, 1), kService), std::nullopt);
  EXPECT_THAT(Emit(stats_), ElementsAre("nat_forgotten_flows host=n1 2"));
}

TEST_F(NatStatsTest, APortThatIsUsedAgainIsAnotherFlow) {
  stats_.OnEvent(Event(NatEventKind::kNew));
  stats_.OnEvent(Event(NatEventKind::kNew, kClient, At(2, 8, 8080)));  // an end was lost
  EXPECT_EQ(table_.OfClient(kTcp, 0, kClient, kService)->server, At(2, 8, 8080));
  EXPECT_EQ(table_.size(), 1u);
}

TEST_F(NatStatsTest, ConnectionsByEndsAndKind) {
  const model::EdgeEnds ends{.observer = model::Side::kClient,
                             .client = {.workload = "curl"},
                             .server = {.address = "10.2.0.7", .port = 8080}};
  stats_.OnConnection(ends, {kClient, kService, kServer, kClient}, kTcp);
  stats_.OnConnection(ends, {kClient, kService, kServer, At(1, 5, 7)}, kTcp);  // only a port
  stats_.OnConnection(ends, {kClient, kService, kServer, kRouter}, kTcp);
  stats_.OnConnection(ends, {kClient, kServer, kServer, kRouter}, kTcp);
  const std::string end = " server_address=10.2.0.7 server_port=8080 transport=tcp ";
  EXPECT_THAT(
      Emit(stats_),
      UnorderedElementsAre(
          "nat_connections asked=10.96.0.1:80 client=curl kind=dnat observer=client" + end + "2",
          "nat_connections asked=10.96.0.1:80 client=curl kind=dnat+snat observer=client "
          "seen_as=10.9.0.9" +
              end + "1",
          "nat_connections client=curl kind=snat observer=client seen_as=10.9.0.9" + end + "1"));
  EXPECT_THAT(Emit(stats_), IsEmpty());
}

TEST_F(NatStatsTest, WhatNoSocketHasIsCountedOnTheWayOnce) {
  const std::string line =
      "nat_connections asked=10.96.0.1:80 client_address=10.1.0.5 kind=dnat "
      "server_address=10.2.0.7 server_port=8080 transport=tcp 1";
  stats_.OnEvent(Event(NatEventKind::kNew));
  EXPECT_THAT(Emit(stats_), IsEmpty());  // its socket may still come
  EXPECT_THAT(Emit(stats_), ElementsAre(line));
  EXPECT_THAT(Emit(stats_), IsEmpty());
  stats_.OnEvent(Event(NatEventKind::kEnded));
  EXPECT_THAT(Emit(stats_), IsEmpty());
  stats_.OnEvent(Event(NatEventKind::kNew));
  stats_.OnEvent(Event(NatEventKind::kEnded));  // a short one
  EXPECT_THAT(Emit(stats_), ElementsAre(line));
  stats_.OnEvent(Event(NatEventKind::kNew));
  table_.OfServer(kTcp, 0, kServer, kClient);  // whose socket it is counts it
  stats_.OnEvent(Event(NatEventKind::kEnded));
  stats_.OnEvent(Event(NatEventKind::kFound));  // there before
  Emit(stats_);
  EXPECT_THAT(Emit(stats_), IsEmpty());
}

TEST_F(NatStatsTest, BeyondTheCapAreOthersAndLossesAreTold) {
  for (uint16_t port = 1; port <= 5; ++port) {
    model::EdgeEnds ends{.observer = model::Side::kClient};
    ends.server = {.address = "10.2.0.7", .port = port};
    stats_.OnConnection(ends, {kClient, kService, kServer, kClient}, kTcp);
  }
  stats_.OnEvent({.kind = NatEventKind::kLost, .netns = 1, .lost = 7});
  const std::vector<std::string> lines = Emit(stats_);
  EXPECT_EQ(lines.size(), 5u);
  EXPECT_THAT(lines, testing::Contains("nat_connections client=(other) kind=dnat observer=client "
                                       "server=(other) transport=tcp 2"));
  EXPECT_EQ(lines.back(), "nat_lost_events host=n1 7");
}

}  // namespace
}  // namespace kindling::agent
