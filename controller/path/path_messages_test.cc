#include "controller/path/path_messages.h"

#include <gtest/gtest.h>

#include "base/utf8.h"

namespace kindling::controller {
namespace {

v1::TracedHop Hop(int64_t wall_ns, uint32_t place, const std::string& source) {
  v1::TracedHop hop;
  hop.set_packet(1);
  hop.set_wall_ns(wall_ns);
  hop.set_place(place);
  hop.mutable_tuple()->set_source(source);
  hop.mutable_tuple()->set_source_port(4000);
  hop.mutable_tuple()->set_destination("fd00::2");
  hop.mutable_tuple()->set_destination_port(80);
  hop.mutable_tuple()->set_protocol(6);
  hop.set_network_namespace("shop");
  return hop;
}

TEST(PathMessagesTest, WhatIsNoNumberOfItsKindIsNone) {
  v1::TracedHop hop = Hop(1, 999, "10.0.0.1");
  hop.mutable_tuple()->set_source_port(70000);
  hop.mutable_tuple()->set_protocol(300);
  hop.set_tcp_flags(0xffffffff);
  hop.set_ip_id(0x10000);
  const model::PathHop out = FromProto(hop, "a");
  EXPECT_EQ(out.place, model::PathPlace::kUnknown);
  EXPECT_EQ(out.tuple.source_port, 0);
  EXPECT_EQ(out.tuple.protocol, 0);
  EXPECT_EQ(out.tcp_flags, 0);
  EXPECT_EQ(out.ip_id, 0);
}

TEST(PathMessagesTest, LongTextsAreCutBetweenCharacters) {
  v1::TracedHop hop = Hop(1, 1, std::string(100'000, '1'));
  std::string text = "a";
  while (text.size() < 10'000) text += "\xc3\xa4";
  hop.set_device(text);
  const model::PathHop out = FromProto(hop, "a");
  EXPECT_LE(out.tuple.source.size(), 256);
  EXPECT_LE(out.device.size(), 256);
  EXPECT_TRUE(base::IsValidUtf8(out.device));
}

TEST(PathMessagesTest, AJourneyAsItIsSent) {
  model::PathJourney journey;
  v1::TracedHop carried = Hop(2'500'000, 7, "10.1.0.1");
  carried.set_vni(42);
  carried.mutable_carrier()->set_source("192.168.0.1");
  carried.mutable_carrier()->set_destination("192.168.0.2");
  journey.hops = {FromProto(Hop(1'000'000, 1, "10.0.0.1"), "agent-1"),
                  FromProto(carried, "agent-2")};
  journey.outcome = model::PathOutcome::kDropped;
  const v1::PacketPath packet = ToProto(journey, {{"agent-1", "node-a"}, {"agent-2", "node-b"}});
  EXPECT_EQ(packet.outcome(), "dropped");
  ASSERT_EQ(packet.hops_size(), 2);
  EXPECT_EQ(packet.hops(0).host(), "node-a");
  EXPECT_EQ(packet.hops(0).source(), "10.0.0.1:4000");
  EXPECT_EQ(packet.hops(0).destination(), "[fd00::2]:80");
  EXPECT_FALSE(packet.hops(0).translated());
  EXPECT_TRUE(packet.hops(1).translated());
  EXPECT_TRUE(packet.hops(1).across_clocks());
  EXPECT_EQ(packet.hops(1).tunnel(), "vxlan 42: 192.168.0.1 -> 192.168.0.2");
  EXPECT_DOUBLE_EQ(packet.hops(1).since_last_ms(), 1.5);
}

TEST(PathMessagesTest, ASummaryAsItIsSent) {
  model::PathSummary summary;
  for (int i = 0; i < 100; ++i) {
    model::PathJourney journey;
    journey.hops = {FromProto(Hop(0, 1, "10.0.0.1"), "a"),
                    FromProto(Hop(2'000'000, 7, "10.0.0.1"), "a")};
    journey.outcome = model::PathOutcome::kDelivered;
    summary.Add(journey);
  }
  const v1::PathSummary out = ToProto(summary, {});
  EXPECT_EQ(out.packets(), 100);
  EXPECT_EQ(out.outcomes().at("delivered"), 100);
  EXPECT_EQ(out.outcomes().size(), 1);
  ASSERT_EQ(out.places_size(), 2);
  EXPECT_EQ(out.places(1).place(), "received");
  EXPECT_NEAR(out.places(1).p50_ms(), 2, 0.05);
  EXPECT_EQ(out.places(1).max_ms(), 2);
}

}  // namespace
}  // namespace kindling::controller
