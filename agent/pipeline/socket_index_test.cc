#include "agent/pipeline/socket_index.h"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

namespace kindling::agent {
namespace {

constexpr IpAddress kHostA{.bytes = {172, 17, 0, 2}, .size = 4};
constexpr IpAddress kHostB{.bytes = {172, 17, 0, 3}, .size = 4};
constexpr IpAddress kLoopback{.bytes = {127, 0, 0, 1}, .size = 4};
constexpr IpAddress kAnyAddress{.size = 4};

class NoSink final : public ConversationSink {
  void OnRequest(Conversation&, const Record&) override {}
  void OnBytes(Conversation&, uint64_t, uint64_t) override {}
  void OnLost(Conversation&, uint64_t) override {}
  void OnUnparsed(Conversation&, uint64_t, uint64_t) override {}
  void OnClosed(Conversation&, int64_t) override {}
};

class SocketIndexTest : public testing::Test {
 protected:
  struct End {
    uint32_t netns;
    IpAddress local;
    uint16_t local_port;
    IpAddress remote;
    uint16_t remote_port;
  };

  // An end of a connection that process `tgid` has.
  Conversation& Add(uint32_t tgid, const End& end,
                    model::Transport transport = model::Transport::kTcp) {
    const ConnOpen open{
        .id = ++last_id_,
        .transport = transport,
        .side = end.local_port < end.remote_port ? model::Side::kServer : model::Side::kClient,
        .netns = end.netns,
        .local = end.local,
        .remote = end.remote,
        .local_port = end.local_port,
        .remote_port = end.remote_port,
        .tgid = tgid};
    conversations_.push_back(std::make_unique<Conversation>(open, sink_, account_));
    index.Add(*conversations_.back());
    return *conversations_.back();
  }
  void Listen(uint32_t tgid, uint32_t netns, const IpAddress& local, uint16_t port,
              model::Transport transport = model::Transport::kTcp) {
    index.AddListener(
        {.transport = transport, .netns = netns, .local = local, .port = port, .tgid = tgid});
  }

  SocketIndex index;

 private:
  NoSink sink_;
  LossAccount account_{0, 0};
  std::vector<std::unique_ptr<Conversation>> conversations_;
  ConnId last_id_ = 0;
};

TEST_F(SocketIndexTest, EndsInTwoNamespacesFindEachOther) {
  Conversation& client = Add(10, {1, kHostA, 40000, kHostB, 80});
  Conversation& server = Add(20, {2, kHostB, 80, kHostA, 40000});
  EXPECT_EQ(index.PeerOf(client), 20u);
  EXPECT_EQ(index.PeerOf(server), 10u);
  index.Remove(server);
  EXPECT_EQ(index.PeerOf(client), 0u);
}

// A process that talks to its own address, in two containers with the same address.
TEST_F(SocketIndexTest, EqualAddressesOfTwoNamespacesAreNotPaired) {
  for (const IpAddress& address : {kHostA, kLoopback}) {
    Conversation& client1 = Add(11, {1, address, 40000, address, 80});
    Conversation& server1 = Add(21, {1, address, 80, address, 40000});
    Conversation& client2 = Add(12, {2, address, 40000, address, 80});
    Conversation& server2 = Add(22, {2, address, 80, address, 40000});
    EXPECT_EQ(index.PeerOf(client1), 21u);
    EXPECT_EQ(index.PeerOf(server1), 11u);
    EXPECT_EQ(index.PeerOf(client2), 22u);
    EXPECT_EQ(index.PeerOf(server2), 12u);
    index.Remove(server1);
    EXPECT_EQ(index.PeerOf(client1), 0u);  // not the other's
    EXPECT_EQ(index.PeerOf(client2), 22u);
    for (Conversation* each : {&client1, &client2, &server2}) index.Remove(*each);
  }
}

// Two networks with the same addresses: which server is whose cannot be told.
TEST_F(SocketIndexTest, WhatIsNotClearIsNotKnown) {
  Conversation& client1 = Add(11, {1, kHostA, 40000, kHostB, 80});
  Add(21, {2, kHostB, 80, kHostA, 40000});
  Conversation& client2 = Add(12, {3, kHostA, 40000, kHostB, 80});
  Conversation& server2 = Add(22, {4, kHostB, 80, kHostA, 40000});
  EXPECT_EQ(index.PeerOf(client1), 0u);
  EXPECT_EQ(index.PeerOf(client2), 0u);
  EXPECT_EQ(index.PeerOf(server2), 0u);
  index.Remove(client2);
  index.Remove(server2);
  EXPECT_EQ(index.PeerOf(client1), 21u);
}

TEST_F(SocketIndexTest, AListenerIsOfTheNamespaceThatHasTheAddress) {
  Listen(20, 2, kHostB, 80);
  Conversation& client = Add(10, {1, kHostA, 40000, kHostB, 80});
  EXPECT_EQ(index.PeerOf(client), 20u);
  Listen(30, 3, kHostB, 80);  // another container of that address
  EXPECT_EQ(index.PeerOf(client), 0u);
  Listen(11, 1, kHostB, 80);  // and the client's own
  EXPECT_EQ(index.PeerOf(client), 11u);
}

TEST_F(SocketIndexTest, AnAddressMovesToANewContainer) {
  Conversation& old_server = Add(20, {2, kHostB, 81, kHostA, 39999});
  index.Remove(old_server);  // the container is gone
  Listen(30, 3, kHostB, 80);
  Conversation& client = Add(10, {1, kHostA, 40000, kHostB, 80});
  EXPECT_EQ(index.PeerOf(client), 30u);
}

TEST_F(SocketIndexTest, AConnectedDatagramSocketLeavesTheListenerOfItsPort) {
  const auto kUdp = model::Transport::kUdp;
  Listen(20, 1, kAnyAddress, 53, kUdp);
  Conversation& session = Add(21, {1, kLoopback, 53, kLoopback, 40001}, kUdp);
  Conversation& other = Add(22, {1, kLoopback, 53, kLoopback, 40002}, kUdp);
  Conversation& client = Add(10, {1, kLoopback, 40000, kLoopback, 53}, kUdp);
  index.Remove(session);
  EXPECT_EQ(index.PeerOf(client), 22u);
  index.Remove(other);
  EXPECT_EQ(index.PeerOf(client), 20u);
}

}  // namespace
}  // namespace kindling::agent
