#include "agent/packets/packet_owners.h"

#include <gtest/gtest.h>

namespace kindling::agent {
namespace {

constexpr uint32_t kNetns = 7;
constexpr uint16_t kPort = 80, kClientPort = 40000;

IpAddress Address(uint8_t last, uint8_t first = 10) {
  return {.bytes = {first, 0, 0, last}, .size = 4};
}
IpAddress Mapped(uint8_t last) {
  return {.bytes = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, last}, .size = 16};
}
PacketOwners::Owner Named(const char* name) { return std::make_shared<const std::string>(name); }

ConnOpen Server(ConnId id) {
  return {.id = id,
          .transport = model::Transport::kTcp,
          .netns = kNetns,
          .local = Address(2),
          .remote = Address(1),
          .local_port = kPort,
          .remote_port = kClientPort};
}
ConnOpen Listener() {
  return {.id = 99,
          .transport = model::Transport::kTcp,
          .netns = kNetns,
          .local = {.size = 4},
          .local_port = kPort};
}
PacketFlow Request(uint16_t client_port = kClientPort) {
  return {.transport = model::Transport::kTcp,
          .source = Address(1),
          .destination = Address(2),
          .source_port = client_port,
          .destination_port = kPort};
}
std::string NameOf(const PacketOwners::Owner& owner) { return owner == nullptr ? "" : *owner; }

TEST(PacketOwnersTest, BothEndsOfAFlow) {
  PacketOwners owners;
  owners.Add(Server(1), Named("nginx"));
  auto ends = owners.Find(kNetns, Request());
  EXPECT_EQ(NameOf(ends.receiver), "nginx");
  EXPECT_EQ(NameOf(ends.sender), "");
  PacketFlow reply = Request();
  std::swap(reply.source, reply.destination);
  std::swap(reply.source_port, reply.destination_port);
  EXPECT_EQ(NameOf(owners.Find(kNetns, reply).sender), "nginx");
  EXPECT_EQ(NameOf(owners.Find(kNetns + 1, Request()).receiver), "") << "another namespace";
  PacketFlow datagram = Request();
  datagram.transport = model::Transport::kUdp;
  EXPECT_EQ(NameOf(owners.Find(kNetns, datagram).receiver), "");
}

TEST(PacketOwnersTest, SocketsOfBothFamilies) {
  PacketOwners owners;
  ConnOpen socket = Server(1);
  socket.local = Mapped(2);
  socket.remote = Mapped(1);
  owners.Add(socket, Named("java"));
  EXPECT_EQ(NameOf(owners.Find(kNetns, Request()).receiver), "java");
}

TEST(PacketOwnersTest, WhoListensGetsWhatIsForAnAddressOfTheNamespace) {
  PacketOwners owners;
  owners.Add(Listener(), Named("nginx"));
  EXPECT_EQ(NameOf(owners.Find(kNetns, Request(1)).receiver), "") << "may be merely forwarded";
  PacketFlow local = Request(1);
  local.destination = Address(1, 127);
  EXPECT_EQ(NameOf(owners.Find(kNetns, local).receiver), "nginx");
  owners.Add(Server(1), Named("worker"));
  EXPECT_EQ(NameOf(owners.Find(kNetns, Request(1)).receiver), "nginx");
  EXPECT_EQ(NameOf(owners.Find(kNetns, Request()).receiver), "worker");
}

TEST(PacketOwnersTest, StaysAWhileAfterItsEnd) {
  PacketOwners owners;
  owners.Add(Server(1), Named("old"));
  owners.Close(Server(1), 1000);
  owners.OnTick(1000 + PacketOwners::kLingerNs);
  EXPECT_EQ(NameOf(owners.Find(kNetns, Request()).receiver), "old");
  owners.Add(Server(2), Named("new"));  // the same addresses again
  owners.OnTick(1001 + PacketOwners::kLingerNs);
  EXPECT_EQ(NameOf(owners.Find(kNetns, Request()).receiver), "new");
  owners.Close(Server(2), 2000);
  owners.OnTick(2001 + PacketOwners::kLingerNs);
  EXPECT_EQ(owners.size(), 0);
}

TEST(PacketOwnersTest, IsBounded) {
  PacketOwners owners;
  ConnOpen socket = Server(1);
  for (size_t i = 0; i < PacketOwners::kMaxSockets + 10; ++i) {
    socket.remote_port = static_cast<uint16_t>(i);
    socket.remote.bytes[1] = static_cast<uint8_t>(i >> 16);
    socket.id = i + 1;
    owners.Add(socket, Named("x"));
    if (i < 5) owners.Close(socket, 1);
  }
  EXPECT_EQ(owners.size(), PacketOwners::kMaxSockets);
  owners.OnTick(2);  // for want of room those that ended go at once
  EXPECT_EQ(owners.size(), PacketOwners::kMaxSockets - 5);
  owners.Clear();
  EXPECT_EQ(owners.size(), 0);
}

TEST(PacketOwnersTest, IsUsedWhileSomebodyCaptures) {
  PacketOwners owners;
  EXPECT_FALSE(owners.is_used());
  {
    PacketOwners::Use one(owners);
    PacketOwners::Use two(owners);
    EXPECT_TRUE(owners.is_used());
  }
  EXPECT_FALSE(owners.is_used());
}

}  // namespace
}  // namespace kindling::agent
