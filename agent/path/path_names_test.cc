#include "agent/path/path_names.h"

#include <gtest/gtest.h>

#include <fstream>

#include "base/testing/temp_dir.h"

namespace kindling::agent {
namespace {

using model::PathPlace;

class PathNamesTest : public ::testing::Test {
 protected:
  PathNamesTest() {
    std::ofstream(directory_.File("kallsyms"))
        << "ffffffff81000000 T nf_hook_slow\nffffffff82000000 T sk_stream_kill_queues\n";
    names_ = std::make_unique<PathNames>(
        PathNames::Options{.node = "node-1",
                           .drop_reasons = {"not_dropped_yet", "consumed", "not_specified",
                                            "netfilter_drop", "queue_purge", "no_socket"}},
        NetnsNames({}, directory_.File("netns"), directory_.File("proc")),
        KernelSymbols(directory_.File("kallsyms")));
  }

  KernelHop Drop(uint32_t reason, uint64_t location = 0xffffffff81000010) const {
    KernelHop hop;
    hop.place = PathPlace::kDropped;
    hop.reason = reason;
    hop.location = location;
    hop.payload_bytes = 5;
    hop.device = "eth0";
    hop.interface = 2;
    return hop;
  }
  std::string HookOf(const KernelHop& hop) { return names_->Name(hop, 0).location; }

  const base::TempDir directory_;
  std::unique_ptr<PathNames> names_;
};

TEST_F(PathNamesTest, WhereAndWhyAPacketWasDropped) {
  const model::PathHop hop = names_->Name(Drop(5), 1000);
  EXPECT_EQ(hop.node, "node-1");
  EXPECT_EQ(hop.wall_ns, 1000);
  EXPECT_EQ(hop.reason, "no_socket");
  EXPECT_EQ(hop.location, "nf_hook_slow");
}

TEST_F(PathNamesTest, ReasonsThatTheKernelDoesNotName) {
  EXPECT_EQ(names_->Name(Drop(200), 0).reason, "reason_200");
  EXPECT_EQ(names_->Name(Drop(2 << 16 | 3), 0).reason, "openvswitch_3");
  EXPECT_EQ(names_->Name(Drop(9 << 16 | 3), 0).reason, "subsystem_9_3");
}

TEST_F(PathNamesTest, NetfiltersHookByWhatTheStackKnewOfThePacket) {
  KernelHop hop = Drop(3);
  EXPECT_EQ(HookOf(hop), "netfilter prerouting, nf_hook_slow");
  hop.is_routed = true;
  hop.received_by = 2;
  EXPECT_EQ(HookOf(hop), "netfilter forward, nf_hook_slow");
  hop.received_by = 3;
  EXPECT_EQ(HookOf(hop), "netfilter postrouting, nf_hook_slow");
  hop.is_local = true;
  EXPECT_EQ(HookOf(hop), "netfilter input, nf_hook_slow");
  hop.of_socket = true;
  EXPECT_EQ(HookOf(hop), "netfilter postrouting, nf_hook_slow");
  hop.device.clear();
  EXPECT_EQ(HookOf(hop), "netfilter output, nf_hook_slow");
  hop.at_a_bridge = true;
  EXPECT_EQ(HookOf(hop), "netfilter bridge, nf_hook_slow");
  hop.location = 0;
  EXPECT_EQ(HookOf(hop), "netfilter bridge");
}

TEST_F(PathNamesTest, AnEmptySegmentLeftInASocketIsNoDrop) {
  KernelHop fin = Drop(4);
  EXPECT_EQ(names_->Name(fin, 0).place, PathPlace::kDropped);
  fin.payload_bytes = 0;
  EXPECT_EQ(names_->Name(fin, 0).place, PathPlace::kConsumed);
  EXPECT_EQ(names_->Name(fin, 0).reason, "");
  KernelHop before_6_10 = Drop(2, 0xffffffff82000004);
  before_6_10.payload_bytes = 0;
  EXPECT_EQ(names_->Name(before_6_10, 0).place, PathPlace::kConsumed);
}

TEST_F(PathNamesTest, ADeviceSeenBeforeIsKnownByItsIndex) {
  KernelHop hop;
  hop.place = PathPlace::kReceived;
  hop.netns = 7;
  hop.interface = 3;
  hop.device = "eth3";
  EXPECT_EQ(names_->Name(hop, 0).device, "eth3");
  hop.device.clear();
  EXPECT_EQ(names_->Name(hop, 0).device, "eth3");
  hop.netns = 8;
  EXPECT_EQ(names_->Name(hop, 0).device, "");
}

TEST_F(PathNamesTest, WhoReadsAndWhichError) {
  KernelHop hop;
  hop.place = PathPlace::kRead;
  hop.detail = "nginx";
  hop.tgid = 12;
  EXPECT_EQ(names_->Name(hop, 0).detail, "nginx (pid 12)");
  hop.place = PathPlace::kIcmp;
  hop.reason = 3 << 8 | 4;
  EXPECT_EQ(names_->Name(hop, 0).detail, "destination unreachable: fragmentation needed");
}

TEST(DropReasonNameTest, AsTheKernelHasThemWithoutPrefix) {
  EXPECT_EQ(DropReasonName("SKB_DROP_REASON_NETFILTER_DROP"), "netfilter_drop");
  EXPECT_EQ(DropReasonName("SKB_CONSUMED"), "consumed");
  EXPECT_EQ(DropReasonName(""), "");
}

TEST(IcmpErrorNameTest, KnownAndUnknown) {
  EXPECT_EQ(IcmpErrorName(3 << 8 | 3), "destination unreachable: port");
  EXPECT_EQ(IcmpErrorName(3 << 8 | 13), "destination unreachable: prohibited");
  EXPECT_EQ(IcmpErrorName(3 << 8 | 99), "type 3 code 99");
  EXPECT_EQ(IcmpErrorName(11 << 8), "time exceeded: TTL");
  EXPECT_EQ(IcmpErrorName(0xffff), "type 255 code 255");
}

}  // namespace
}  // namespace kindling::agent
