// What a trace of packets leaves alone: other packets, other namespaces, what is beyond its limits.
#include <bpf/bpf.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <string>
#include <string_view>

#include "agent/kernel/attach_table.h"
#include "tests/kernel/path_fixture.h"

namespace kindling::agent {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

// Programs in the kernel whose names are those of the path's.
int PathProgramsLoaded() {
  int count = 0;
  for (uint32_t id = 0; bpf_prog_get_next_id(id, &id) == 0;) {
    const int fd = bpf_prog_get_fd_by_id(id);
    bpf_prog_info info{};
    uint32_t size = sizeof(info);
    if (fd >= 0 && bpf_obj_get_info_by_fd(fd, &info, &size) == 0 &&
        std::string_view(info.name).starts_with("kd_path_")) {
      ++count;
    }
    if (fd >= 0) close(fd);
  }
  return count;
}

// The kernel frees programs a moment after they were let go.
bool BecomesLoaded(int count) {
  for (int i = 0; i < 500; ++i) {
    if (PathProgramsLoaded() == count) return true;
    usleep(10'000);
  }
  return false;
}

TEST_F(PathTest, NoOtherPacketsAreFollowed) {
  MakeRouted();
  Open(Options("10.88.0.2", "10.89.0.2", kPort));
  SendDatagrams(topology_, "client", "10.89.0.2", kPort + 1, 3, 20);  // another port
  SendDatagrams(topology_, "client", "10.88.0.1", kPort, 3, 20);      // another host
  Collect();
  EXPECT_THAT(journeys_, IsEmpty());
}

TEST_F(PathTest, NothingIsSeenOutsideTheScope) {
  MakeRouted();
  PathSourceOptions options = Options("10.88.0.2", "10.89.0.2", kPort);
  options.scope.network_namespaces = {"/run/netns/" + topology_.Name("router")};
  Open(options);
  EXPECT_TRUE(SayDatagram(topology_, "client", "10.89.0.2", kPort, {"server", "10.89.0.2", kPort}));
  Collect();
  ASSERT_THAT(journeys_, SizeIs(1));
  for (const PathHop& hop : journeys_[0].hops) EXPECT_EQ(Host(hop), "router");
}

TEST_F(PathTest, PacketsBeyondTheRateAreCountedAndPassedOverWhole) {
  MakeRouted();
  PathSourceOptions options = Options("10.88.0.2", "10.89.0.2", kPort);
  options.packets_per_s = 10;
  Open(options);
  SendDatagrams(topology_, "client", "10.89.0.2", kPort, 100, 50);
  Collect();
  const auto sent = Sent(50);
  // A second may begin in between. Beside them are answers: nobody listens.
  EXPECT_LE(journeys_.size(), 20);
  EXPECT_GE(journeys_.size(), 10);
  EXPECT_GE(loss_.packets + sent.size(), 100);
  for (const PathJourney* journey : sent) {
    EXPECT_FALSE(journey->is_partial);
    EXPECT_EQ(Way(*journey)[0], "client/eth0 queued");
  }
}

TEST_F(PathTest, EveryHookMayBeOff) {
  MakeRouted();
  const PathServer server{"server", "10.89.0.2", kPort};
  for (const AttachRow& row : AttachTable()) {
    if (row.use != AttachUse::kPathTrace) continue;
    SCOPED_TRACE(row.hook);
    PathSourceOptions options = Options("10.88.0.2", "10.89.0.2", kPort);
    options.disable = {std::string(row.hook)};
    Open(options);
    ASSERT_THAT(trace_->missing(), SizeIs(1));
    EXPECT_EQ(trace_->missing()[0].hook, row.hook);
    EXPECT_EQ(trace_->missing()[0].why, "disabled by config");
    EXPECT_THAT(trace_->missing()[0].lost, Not(IsEmpty()));
    ASSERT_TRUE(SayDatagram(topology_, "client", "10.89.0.2", kPort, server));
    Collect();
    const auto sent = Sent(kDatagram);
    ASSERT_THAT(sent, SizeIs(1));
    const std::string last = Way(*sent[0]).back();
    if (row.program == "kd_path_sk_data_ready") {
      EXPECT_EQ(last, "server/eth0 received");
    } else if (row.program == "kd_path_netif_receive_skb") {
      EXPECT_EQ(last, "server/eth0 backlog");
    } else {
      EXPECT_EQ(sent[0]->outcome, PathOutcome::kDelivered) << last;
    }
  }
}

TEST_F(PathTest, NoProgramIsInTheKernelButWhileItRuns) {
  MakeRouted();
  EXPECT_TRUE(BecomesLoaded(0));
  Open(Options("10.88.0.2", "10.89.0.2", kPort));
  EXPECT_TRUE(BecomesLoaded(15 - static_cast<int>(trace_->missing().size())));
  trace_.reset();
  EXPECT_TRUE(BecomesLoaded(0));
}

TEST_F(PathTest, WhatCannotBeTracedIsRefused) {
  topology_.AddHost("client");
  PathSourceOptions options = Options("10.88.0.2", "10.89.0.2", kPort);
  options.disable = {"tp_btf/nonsense"};
  EXPECT_FALSE(PathSource::Open(options).ok());
  options = Options("10.88.0.2", "10.89.0.2", kPort);
  options.from.clear();
  options.to.clear();
  EXPECT_FALSE(PathSource::Open(options).ok());
  options = Options("10.88.0.2", "10.89.0.2", kPort);
  options.from.resize(600, Address("10.0.0.1"));
  EXPECT_FALSE(PathSource::Open(options).ok());
  options = Options("10.88.0.2", "10.89.0.2", kPort);
  options.scope = {.pids = {static_cast<uint32_t>(getpid())}};
  const auto source = PathSource::Open(options);
  ASSERT_FALSE(source.ok());
  EXPECT_THAT(std::string(source.status().message()), HasSubstr("network namespaces"));
}

}  // namespace
}  // namespace kindling::agent
