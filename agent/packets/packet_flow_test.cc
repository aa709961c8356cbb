#include "agent/packets/packet_flow.h"

#include <gtest/gtest.h>

#include <string>

#include "base/byte_reader.h"

namespace kindling::agent {
namespace {

using namespace std::string_literals;

std::optional<PacketFlow> Flow(const std::string& packet, bool has_link_layer = true) {
  return FlowOfPacket(base::AsBytes(packet), has_link_layer);
}

std::string Ports() { return "\x03\xe8\x00\x50"s; }  // 1000 -> 80
std::string Ipv4(char protocol, const std::string& fragment = "\0\0"s, char length = '\x45') {
  return std::string(1, length) + std::string(5, '\0') + fragment + "\x40"s + protocol + "\0\0"s +
         "\x0a\0\0\1"s + "\x0a\0\0\2"s;
}
std::string Ipv6(char next) {
  return "\x60"s + std::string(5, '\0') + next + "\x40"s + "\xfd"s + std::string(14, '\0') + "\1"s +
         "\xfd"s + std::string(14, '\0') + "\2"s;
}
std::string Ethernet(const std::string& type) { return std::string(12, 'm') + type; }

TEST(PacketFlowTest, TcpOverIpv4) {
  const auto flow = Flow(Ethernet("\x08\0"s) + Ipv4(6) + Ports());
  ASSERT_TRUE(flow);
  EXPECT_EQ(flow->transport, model::Transport::kTcp);
  EXPECT_EQ(ToString(flow->source), "10.0.0.1");
  EXPECT_EQ(ToString(flow->destination), "10.0.0.2");
  EXPECT_EQ(flow->source_port, 1000);
  EXPECT_EQ(flow->destination_port, 80);
  EXPECT_EQ(Flow(Ipv4(6) + Ports(), false), flow);
  EXPECT_EQ(Flow(Ethernet("\x81\0\0\5\x08\0"s) + Ipv4(6) + Ports()), flow);
  EXPECT_EQ(Flow(Ethernet("\x88\xa8\0\5\x81\0\0\5\x08\0"s) + Ipv4(6) + Ports()), flow);
  EXPECT_EQ(Flow(Ethernet("\x08\0"s) + Ipv4(6, "\0\0"s, '\x46') + "\1\1\1\1"s + Ports()), flow);
  EXPECT_EQ(Flow(Ethernet("\x08\0"s) + Ipv4(6, "\x20\0"s) + Ports()), flow) << "first fragment";
}

TEST(PacketFlowTest, UdpOverIpv6) {
  const auto flow = Flow(Ethernet("\x86\xdd"s) + Ipv6(17) + Ports());
  ASSERT_TRUE(flow);
  EXPECT_EQ(flow->transport, model::Transport::kUdp);
  EXPECT_EQ(ToString(flow->destination), "fd00::2");
  const std::string options = "\x11\1"s + std::string(14, '\0');
  EXPECT_EQ(Flow(Ethernet("\x86\xdd"s) + Ipv6(60) + options + Ports()), flow);
  EXPECT_EQ(Flow(Ethernet("\x86\xdd"s) + Ipv6(44) + "\x11\0\0\1\0\0\0\7"s + Ports()), flow);
  EXPECT_FALSE(Flow(Ethernet("\x86\xdd"s) + Ipv6(44) + "\x11\0\0\x08\0\0\0\7"s + Ports()));
}

TEST(PacketFlowTest, WhatHasNone) {
  EXPECT_FALSE(Flow(Ethernet("\x08\0"s) + Ipv4(1) + Ports())) << "ICMP";
  EXPECT_FALSE(Flow(Ethernet("\x08\x06"s) + std::string(28, '\0'))) << "ARP";
  EXPECT_FALSE(Flow(Ethernet("\x08\0"s) + Ipv4(6, "\0\1"s) + Ports())) << "later fragment";
  EXPECT_FALSE(Flow(Ethernet("\x08\0"s) + Ipv4(6, "\0\0"s, '\x41') + Ports())) << "short header";
  EXPECT_FALSE(Flow(Ethernet("\x08\0"s) + Ipv4(6, "\0\0"s, '\x95') + Ports())) << "version 9";
  std::string endless = Ethernet("\x86\xdd"s) + Ipv6(60);
  for (int i = 0; i < 20; ++i) endless += "\x3c\0"s + std::string(6, '\0');
  EXPECT_FALSE(Flow(endless)) << "too many headers";
}

TEST(PacketFlowTest, CutOffAnywhere) {
  for (const std::string& whole :
       {Ethernet("\x08\0"s) + Ipv4(6) + Ports(), Ethernet("\x86\xdd"s) + Ipv6(17) + Ports(),
        Ethernet("\x81\0\0\5\x08\0"s) + Ipv4(17) + Ports()}) {
    ASSERT_TRUE(Flow(whole));
    for (size_t size = 0; size < whole.size(); ++size) EXPECT_FALSE(Flow(whole.substr(0, size)));
  }
}

}  // namespace
}  // namespace kindling::agent
