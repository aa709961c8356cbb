// Conntrack's own events against flows whose number is known. In a network namespace of its own,
// where nftables sends datagrams for a service to a server; needs root.

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <string>
#include <thread>

#include "agent/network/conntrack/conntrack_source.h"
#include "tests/kernel/recorder.h"

namespace kindling::agent {
namespace {

using Clock = std::chrono::steady_clock;

constexpr uint32_t kInode = 7;  // any number will do

sockaddr_in Address(const char* text, uint16_t port) {
  sockaddr_in address{.sin_family = AF_INET, .sin_port = htons(port)};
  inet_pton(AF_INET, text, &address.sin_addr);
  return address;
}

// One flow: a datagram from a port of its own.
void SendFrom(const char* source, uint16_t port) {
  const base::UniqueFd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const int reuse = 1;
  setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &reuse, sizeof(reuse));
  const sockaddr_in from = Address(source, port);
  ASSERT_EQ(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&from), sizeof(from)), 0) << port;
  const sockaddr_in to = Address("10.96.0.1", 53);
  ASSERT_EQ(::sendto(fd.get(), "x", 1, 0, reinterpret_cast<const sockaddr*>(&to), sizeof(to)), 1);
}

class ConntrackTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    ASSERT_EQ(::unshare(CLONE_NEWNET), 0) << "needs root";
    ASSERT_EQ(std::system("ip link set lo up && ip addr add 10.5.0.1/32 dev lo && "
                          "ip addr add 10.5.0.2/32 dev lo && ip addr add 10.5.0.3/32 dev lo && "
                          "ip route add 10.96.0.0/16 dev lo && "
                          "nft 'table ip t { chain out { type nat hook output priority -100; "
                          "ip daddr 10.96.0.1 udp dport 53 dnat to 10.5.0.2:5353; }; }'"),
              0);
  }
  ConntrackTest() : server_(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    const sockaddr_in address = Address("10.5.0.2", 5353);
    EXPECT_EQ(::bind(server_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)),
              0);
  }

  static ScopeNamespaces Find() {
    ScopeNamespaces namespaces;
    namespaces.found.push_back(
        {.name = "own",
         .inode = kInode,
         .fd = base::UniqueFd(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC))});
    return namespaces;
  }
  static std::unique_ptr<ConntrackSource> Start(int socket_bytes = ConntrackSource::kSocketBytes) {
    auto source = ConntrackSource::Start(Find, socket_bytes);
    EXPECT_TRUE(source.ok()) << source.status();
    return source.ok() ? *std::move(source) : nullptr;
  }
  static int Count(const Recorder& seen, NatEventKind kind, const char* source) {
    int count = 0;
    for (const NatEvent& event : seen.nat) {
      count += event.kind == kind && ToString(event.client.address) == source;
    }
    return count;
  }
  static uint64_t Lost(const Recorder& seen) {
    uint64_t lost = 0;
    for (const NatEvent& event : seen.nat) lost += event.lost;
    return lost;
  }

  const base::UniqueFd server_;
};

TEST_F(ConntrackTest, AFlowIsThereAsSoonAsItsFirstPacketIsSent) {
  const auto source = Start();
  ASSERT_NE(source, nullptr);
  for (uint16_t port = 20'000; port < 20'200; ++port) {
    Recorder seen;
    SendFrom("10.5.0.1", port);
    source->Deliver(seen);
    bool is_told = false;
    for (const NatEvent& event : seen.nat) {
      if (event.kind != NatEventKind::kNew || event.client.port != port) continue;
      is_told = true;
      EXPECT_EQ(event.netns, kInode);
      EXPECT_EQ(event.transport, model::Transport::kUdp);
      EXPECT_EQ(ToString(event.asked), "10.96.0.1:53");
      EXPECT_EQ(ToString(event.server), "10.5.0.2:5353");
      EXPECT_EQ(event.seen_as, event.client);
    }
    EXPECT_TRUE(is_told) << port;
  }
}

TEST_F(ConntrackTest, FlowsFromBeforeAreFound) {
  SendFrom("10.5.0.3", 30'000);
  const auto source = Start();
  ASSERT_NE(source, nullptr);
  Recorder seen;
  source->Deliver(seen);
  EXPECT_EQ(Count(seen, NatEventKind::kFound, "10.5.0.3"), 1);
  ASSERT_FALSE(seen.nat.empty());
  EXPECT_EQ(seen.nat.front().kind, NatEventKind::kListBegin);
}

// As a node with short connections has it; how fast it really went is printed.
TEST_F(ConntrackTest, TwentyThousandNewFlowsASecond) {
  constexpr int kFlows = 40'000;
  constexpr int kPerSecond = 20'000;
  const auto source = Start();
  ASSERT_NE(source, nullptr);
  Recorder seen;
  std::atomic<bool> is_sent = false;
  std::thread capture([&] {
    while (!is_sent) {
      source->Deliver(seen);
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  });
  const Clock::time_point begin = Clock::now();
  for (int i = 0; i < kFlows; ++i) {
    SendFrom("10.5.0.1", static_cast<uint16_t>(21'000 + i));
    if (i % 100 == 0)
      std::this_thread::sleep_until(begin + std::chrono::seconds(1) * i / kPerSecond);
  }
  const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  is_sent = true;
  capture.join();
  source->Deliver(seen);
  const int told = Count(seen, NatEventKind::kNew, "10.5.0.1");
  std::printf("%d flows in %.2f s: %.0f a second, %d told, %d lost\n", kFlows, seconds,
              kFlows / seconds, told, static_cast<int>(Lost(seen)));
  EXPECT_EQ(told + static_cast<int>(Lost(seen)), kFlows);
  EXPECT_EQ(Lost(seen), 0u);
  EXPECT_EQ(source->lost(), 0u);
}

TEST_F(ConntrackTest, WhatFindsNoRoomIsCountedAndListedAgain) {
  constexpr int kFlows = 20'000;
  const auto source = Start(/*socket_bytes=*/2048);
  ASSERT_NE(source, nullptr);
  Recorder seen;
  for (int i = 0; i < kFlows; ++i) SendFrom("10.5.0.3", static_cast<uint16_t>(31'000 + i));
  source->Deliver(seen);
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  source->Deliver(seen);
  const int told = Count(seen, NatEventKind::kNew, "10.5.0.3");
  const auto lost = static_cast<int>(Lost(seen));
  std::printf("%d flows: %d told, %d lost\n", kFlows, told, lost);
  EXPECT_GT(lost, 0);
  EXPECT_EQ(told + lost, kFlows);
  // All that were lost are there in the next list.
  std::map<uint16_t, int> ports;
  const Clock::time_point end = Clock::now() + std::chrono::seconds(20);
  while (ports.size() < kFlows && Clock::now() < end) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    source->Deliver(seen);
    ports.clear();
    for (const NatEvent& event : seen.nat) {
      if (ToString(event.client.address) == "10.5.0.3" && event.client.port >= 31'000) {
        ++ports[event.client.port];
      }
    }
  }
  EXPECT_EQ(ports.size(), static_cast<size_t>(kFlows));
}

}  // namespace
}  // namespace kindling::agent
