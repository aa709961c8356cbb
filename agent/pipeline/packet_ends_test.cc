#include "agent/pipeline/packet_ends.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace kindling::agent {
namespace {

using model::Side;

constexpr IpAddress kClientHost{.bytes = {10, 0, 0, 1}, .size = 4};
constexpr IpAddress kServerHost{.bytes = {10, 0, 0, 2}, .size = 4};
constexpr IpAddress kStranger{.bytes = {192, 0, 2, 7}, .size = 4};
constexpr IpAddress kAnyAddress{.size = 4};
constexpr uint32_t kOnClient = 1, kOnServer = 2, kOnRouter = 3;  // namespaces
constexpr uint32_t kCurl = 10, kNginx = 20;
constexpr uint16_t kPort = 80, kEphemeral = 40'000;
constexpr uint8_t kTcp = 6, kUdp = 17, kIcmp = 1;

class NoSink final : public ConversationSink {
  void OnRequest(Conversation&, const Record&) override {}
  void OnBytes(Conversation&, uint64_t, uint64_t) override {}
  void OnLost(Conversation&, uint64_t) override {}
  void OnUnparsed(Conversation&, uint64_t, uint64_t) override {}
  void OnClosed(Conversation&, int64_t) override {}
};

class PacketEndsTest : public testing::Test {
 protected:
  static std::string NameOf(uint32_t tgid) {
    return tgid == 0 ? "" : tgid == kCurl ? "curl" : tgid == kNginx ? "nginx" : "?";
  }
  static ConnOpen Open(uint32_t netns, bool is_server) {
    ConnOpen open{.id = netns,
                  .transport = model::Transport::kTcp,
                  .side = is_server ? Side::kServer : Side::kClient,
                  .netns = netns,
                  .local = kClientHost,
                  .remote = kServerHost,
                  .local_port = kEphemeral,
                  .remote_port = kPort,
                  .tgid = is_server ? kNginx : kCurl};
    if (is_server) {
      std::swap(open.local, open.remote);
      std::swap(open.local_port, open.remote_port);
    }
    return open;
  }
  void Add(const ConnOpen& open) {
    conversations_.push_back(std::make_unique<Conversation>(open, sink_, account_));
    sockets_.Add(*conversations_.back());
  }
  // A packet of the connection from client to server.
  static DropSample Packet(uint32_t netns, Direction direction) {
    return {.netns = netns,
            .direction = direction,
            .reason = "netfilter_drop",
            .protocol = kTcp,
            .source = kClientHost,
            .destination = kServerHost,
            .source_port = kEphemeral,
            .destination_port = kPort};
  }
  static DropSample Answer(uint32_t netns, Direction direction) {
    DropSample drop = Packet(netns, direction);
    std::swap(drop.source, drop.destination);
    std::swap(drop.source_port, drop.destination_port);
    return drop;
  }
  // "observer client -> server".
  template <typename Sample>
  std::string Of(const Sample& sample) const {
    const model::EdgeEnds ends = ends_.Of(sample);
    const auto text = [](const model::Party& party) {
      std::string name = !party.workload.empty() ? party.workload : party.dns_name;
      if (name.empty()) name = party.address;
      return party.port == 0 ? name : name + ":" + std::to_string(party.port);
    };
    return std::string(model::Name(ends.observer)) + " " + text(ends.client) + " -> " +
           text(ends.server);
  }

  NoSink sink_;
  LossAccount account_{0, 0};
  std::vector<std::unique_ptr<Conversation>> conversations_;
  SocketIndex sockets_;
  PacketEnds ends_{
      sockets_,
      {.of_conversation =
           [](Conversation& conversation) {
             const ConnOpen& open = conversation.open();
             model::EdgeEnds ends{.observer = open.side,
                                  .client = {.workload = "edge's client"},
                                  .server = {.workload = "edge's server", .port = kPort}};
             return ends;
           },
       .of_process = [](uint32_t tgid) { return model::Party{.workload = NameOf(tgid)}; },
       .of_address =
           [](const std::string& address) {
             return address == ToString(kStranger) ? "example.org" : "";
           }}};
};

TEST_F(PacketEndsTest, APacketIsItsConnections) {
  Add(Open(kOnServer, /*is_server=*/true));
  Add(Open(kOnClient, /*is_server=*/false));
  const std::string edge = " edge's client -> edge's server:80";
  EXPECT_EQ(Of(Packet(kOnServer, Direction::kReceived)), "server" + edge);
  EXPECT_EQ(Of(Answer(kOnServer, Direction::kSent)), "server" + edge);
  EXPECT_EQ(Of(Packet(kOnClient, Direction::kSent)), "client" + edge);
  EXPECT_EQ(Of(Answer(kOnClient, Direction::kReceived)), "client" + edge);
}

TEST_F(PacketEndsTest, ARouterIsNeitherEnd) {
  Add(Open(kOnServer, /*is_server=*/true));
  Add(Open(kOnClient, /*is_server=*/false));
  EXPECT_EQ(Of(Packet(kOnRouter, Direction::kReceived)),
            "unknown edge's client -> edge's server:80");
}

TEST_F(PacketEndsTest, AnEndThatIsKnownFromTheOther) {
  Add(Open(kOnClient, /*is_server=*/false));
  sockets_.AddListener({.netns = kOnServer, .local = kServerHost, .port = kPort, .tgid = kNginx});
  EXPECT_EQ(Of(Packet(kOnServer, Direction::kReceived)),
            "server edge's client -> edge's server:80");
}

TEST_F(PacketEndsTest, AConnectionThatEndedAMomentAgo) {
  constexpr int64_t kSecond = 1'000'000'000;
  ends_.OnTick(20 * kSecond);
  const auto edge = std::make_shared<InternedEdge>();
  edge->edge = {.observer = Side::kServer,
                .client = {.workload = "gone"},
                .server = {.workload = "nginx", .port = kPort}};
  ends_.OnEnded(Open(kOnServer, /*is_server=*/true), edge);
  EXPECT_EQ(Of(Packet(kOnServer, Direction::kReceived)), "server gone -> nginx:80");
  ends_.OnTick(36 * kSecond);
  EXPECT_EQ(Of(Packet(kOnServer, Direction::kReceived)), "server gone -> nginx:80");
  ends_.OnTick(52 * kSecond);
  EXPECT_EQ(Of(Packet(kOnServer, Direction::kReceived)), "unknown 10.0.0.1 -> 10.0.0.2:80");
  EXPECT_EQ(ends_.ended(), 0);
}

// Its addresses are IPv4's in IPv6, those of its packets are not.
TEST_F(PacketEndsTest, AServerOfBothFamilies) {
  const auto mapped = [](const IpAddress& ipv4) {
    IpAddress ipv6{.size = 16};
    ipv6.bytes[10] = ipv6.bytes[11] = 0xff;
    std::copy_n(ipv4.bytes.begin(), 4, ipv6.bytes.begin() + 12);
    return ipv6;
  };
  ConnOpen open = Open(kOnServer, /*is_server=*/true);
  open.local = mapped(open.local);
  open.remote = mapped(open.remote);
  const auto edge = std::make_shared<InternedEdge>();
  edge->edge = {.observer = Side::kServer, .server = {.workload = "nginx", .port = kPort}};
  ends_.OnEnded(open, edge);
  EXPECT_EQ(Of(Packet(kOnServer, Direction::kReceived)), "server  -> nginx:80");
  Add(open);
  EXPECT_EQ(Of(Packet(kOnServer, Direction::kReceived)),
            "server edge's client -> edge's server:80");
}

TEST_F(PacketEndsTest, RemembersABoundedNumber) {
  const auto edge = std::make_shared<InternedEdge>();
  ConnOpen open = Open(kOnServer, /*is_server=*/true);
  for (uint32_t i = 0; i < 10'000; ++i) {
    open.netns = i;
    ends_.OnEnded(open, edge);
  }
  EXPECT_EQ(ends_.ended(), 8192);
}

TEST_F(PacketEndsTest, WithoutAConnectionWhoeverListens) {
  sockets_.AddListener({.netns = kOnServer, .local = kAnyAddress, .port = kPort, .tgid = kNginx});
  EXPECT_EQ(Of(Packet(kOnServer, Direction::kReceived)), "server 10.0.0.1 -> nginx:80");
  DropSample from_outside = Packet(kOnServer, Direction::kReceived);
  from_outside.source = kStranger;
  EXPECT_EQ(Of(from_outside), "server example.org -> nginx:80");
  EXPECT_EQ(Of(Answer(kOnServer, Direction::kSent)), "server 10.0.0.1 -> nginx:80");
  // What passes through another namespace is not for its own port.
  sockets_.AddListener({.netns = kOnRouter, .local = kAnyAddress, .port = kPort, .tgid = kCurl});
  sockets_.AddListener({.netns = kOnServer, .local = kServerHost, .port = kPort, .tgid = kNginx});
  EXPECT_EQ(Of(Packet(kOnRouter, Direction::kReceived)), "unknown 10.0.0.1 -> nginx:80");
}

TEST_F(PacketEndsTest, DatagramsGoToTheLowerPort) {
  DropSample drop = Answer(kOnClient, Direction::kReceived);
  drop.protocol = kUdp;
  sockets_.AddDatagramSocket({.transport = model::Transport::kUdp,
                              .netns = kOnClient,
                              .local = kClientHost,
                              .local_port = kEphemeral},
                             kCurl);
  EXPECT_EQ(Of(drop), "client curl -> 10.0.0.2:80");
}

TEST_F(PacketEndsTest, WithoutPortsTheSourceIsTheClient) {
  DropSample drop = Packet(kOnServer, Direction::kReceived);
  drop.protocol = kIcmp;
  drop.source_port = drop.destination_port = 0;
  EXPECT_EQ(Of(drop), "unknown 10.0.0.1 -> 10.0.0.2");
  Add(Open(kOnServer, /*is_server=*/true));
  EXPECT_EQ(Of(drop), "server 10.0.0.1 -> 10.0.0.2");
}

TEST_F(PacketEndsTest, WhatCouldNotBeRead) {
  EXPECT_EQ(Of(DropSample{.netns = kOnServer, .reason = "pkt_too_small"}), "unknown  -> ");
  EXPECT_EQ(Of(DropSample{.netns = kOnServer, .without_ends = true}), "unknown (other) -> (other)");
}

TEST_F(PacketEndsTest, DatagramSockets) {
  DatagramSample socket{
      .netns = kOnServer, .local = kAnyAddress, .local_port = 53, .tgid = kNginx, .drops = 1};
  EXPECT_EQ(Of(socket), "server  -> nginx:53");
  socket.local = kServerHost;
  EXPECT_EQ(Of(socket), "server  -> nginx:53");
  socket.local_port = kEphemeral;
  EXPECT_EQ(Of(socket), "client nginx -> ");
  socket.remote = kStranger;
  socket.remote_port = 53;
  EXPECT_EQ(Of(socket), "client nginx -> example.org:53");
}

}  // namespace
}  // namespace kindling::agent
