#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include <array>
#include <cstring>
#include <string>
#include <vector>

#include "agent/firewall/rule_texts.h"
#include "agent/firewall/trace_message.h"
#include "agent/firewall/trace_selection.h"
#include "agent/firewall/traced_packets.h"
#include "base/testing/status_matchers.h"

namespace kindling::agent {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

v1::PacketSelection Selection(const std::string& source, const std::string& destination,
                              const std::string& protocol, uint32_t port) {
  v1::PacketSelection selection;
  selection.set_source(source);
  selection.set_destination(destination);
  selection.set_protocol(protocol);
  selection.set_port(port);
  return selection;
}

TEST(MarkCommandsTest, MarksBothDirections) {
  const auto commands = MarkCommands(Selection("10.0.0.1", "10.0.0.2", "tcp", 80), "t");
  ASSERT_OK(commands);
  EXPECT_EQ(commands->front(), "add table inet t { flags owner ; }");
  EXPECT_THAT(*commands, Contains(HasSubstr("prerouting ip saddr 10.0.0.1 ip daddr 10.0.0.2 meta "
                                            "l4proto tcp th dport 80 limit rate")));
  EXPECT_THAT(*commands,
              Contains(HasSubstr("output ip saddr 10.0.0.2 ip daddr 10.0.0.1 meta l4proto "
                                 "tcp th sport 80 limit rate")));
}

TEST(MarkCommandsTest, RefusesWhatItCannotSelect) {
  for (const v1::PacketSelection& selection :
       {Selection("", "", "tcp", 0), Selection("10.0.0.1; flush ruleset", "", "", 0),
        Selection("10.0.0.1", "::1", "", 0), Selection("10.0.0.1", "", "tcp } flush", 0),
        Selection("10.0.0.1", "", "icmp", 80), Selection("10.0.0.1", "", "", 70'000)}) {
    EXPECT_TRUE(absl::IsInvalidArgument(MarkCommands(selection, "t").status()))
        << selection.ShortDebugString();
  }
}

TEST(RuleTextsTest, FindsRulesByTheirHandles) {
  const auto rules = ParseRuleTexts(
      "table ip filter { # handle 1\n\tchain in { # handle 2\n"
      "\t\ttype filter hook input priority filter; policy accept;\n"
      "\t\ttcp dport 80 counter packets 1 bytes 2 drop comment \"a # handle 9\" # handle 3\n"
      "\t\tip saddr @bad drop # handle 4\n\t}\n}\n");
  EXPECT_THAT(
      rules,
      ElementsAre(Pair(3, "tcp dport 80 counter packets 1 bytes 2 drop comment \"a # handle 9\""),
                  Pair(4, "ip saddr @bad drop")));
  EXPECT_TRUE(ParseRuleTexts("x # handle 99999999999999999999999\n # handle \n# handle").empty());
}

std::vector<std::byte> Bytes(std::initializer_list<int> values) {
  std::vector<std::byte> bytes;
  for (const int value : values) bytes.push_back(static_cast<std::byte>(value));
  return bytes;
}

TEST(DescribePacketTest, NamesTheFlow) {
  const auto v4 = Bytes({0x45, 0, 0, 60, 0, 0, 0, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2});
  const auto ports = Bytes({0x0f, 0xa0, 0, 80});
  EXPECT_EQ(DescribePacket(v4, ports), "tcp 10.0.0.1:4000 > 10.0.0.2:80");
  EXPECT_EQ(DescribePacket(v4, {}), "protocol 6 10.0.0.1 > 10.0.0.2");
  for (size_t size = 0; size < v4.size(); ++size) {
    EXPECT_EQ(DescribePacket(std::span(v4).first(size), ports), "") << size;
  }
  std::vector<std::byte> v6(40);
  v6[0] = std::byte{0x60};
  v6[6] = std::byte{58};
  v6[39] = std::byte{1};
  EXPECT_EQ(DescribePacket(v6, {}), "icmp :: > ::1");
}

// A message of the kernel, attribute by attribute.
class Message {
 public:
  Message() : bytes_(NLMSG_LENGTH(sizeof(nfgenmsg))) {
    header().nlmsg_type = (NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_TRACE;
  }
  void Add(uint16_t type, const void* data, size_t size) {
    nlattr attribute{.nla_len = static_cast<uint16_t>(NLA_HDRLEN + size), .nla_type = type};
    const size_t at = bytes_.size();
    bytes_.resize(at + NLA_HDRLEN + NLA_ALIGN(size));
    std::memcpy(bytes_.data() + at, &attribute, sizeof(attribute));
    std::memcpy(bytes_.data() + at + NLA_HDRLEN, data, size);
  }
  void Add(uint16_t type, uint32_t value) {
    const uint32_t big_endian = __builtin_bswap32(value);
    Add(type, &big_endian, sizeof(big_endian));
  }
  void Add(uint16_t type, const std::string& text) { Add(type, text.c_str(), text.size() + 1); }
  nlmsghdr& header() { return *reinterpret_cast<nlmsghdr*>(bytes_.data()); }
  const nlmsghdr& Finish() {
    header().nlmsg_len = static_cast<uint32_t>(bytes_.size());
    reinterpret_cast<nfgenmsg*>(bytes_.data() + NLMSG_HDRLEN)->nfgen_family = NFPROTO_INET;
    return header();
  }
  std::vector<char>& bytes() { return bytes_; }

 private:
  std::vector<char> bytes_;
};

Message PolicyDrop() {
  Message message;
  message.Add(NFTA_TRACE_ID, 7);
  message.Add(NFTA_TRACE_TYPE, NFT_TRACETYPE_POLICY);
  message.Add(NFTA_TRACE_TABLE, "filter");
  message.Add(NFTA_TRACE_CHAIN, "input");
  message.Add(NFTA_TRACE_POLICY, NF_DROP);
  message.Add(NFTA_TRACE_IIF, 3);
  return message;
}

TEST(TraceMessageTest, ReadsAPolicy) {
  Message bytes = PolicyDrop();
  const auto message = ParseTraceMessage(bytes.Finish());
  ASSERT_TRUE(message.has_value());
  EXPECT_EQ(message->packet_id, 7U);
  EXPECT_EQ(message->step.family(), "inet");
  EXPECT_EQ(message->step.table(), "filter");
  EXPECT_EQ(message->step.chain(), "input");
  EXPECT_EQ(message->step.type(), "policy");
  EXPECT_EQ(message->step.verdict(), "drop");
  EXPECT_EQ(message->input_device, 3U);
  EXPECT_TRUE(message->is_last);
}

TEST(TraceMessageTest, WhatIsNoneIsPassedOver) {
  Message other = PolicyDrop();
  other.header().nlmsg_type = NLMSG_ERROR;
  EXPECT_FALSE(ParseTraceMessage(other.Finish()).has_value());
  EXPECT_FALSE(ParseTraceMessage(Message().Finish()).has_value());
  // Cut anywhere, and with every byte of its attributes another: no crash.
  Message whole = PolicyDrop();
  whole.Finish();
  for (size_t size = NLMSG_HDRLEN; size < whole.bytes().size(); ++size) {
    Message cut = whole;
    cut.bytes().resize(std::max<size_t>(size, NLMSG_LENGTH(sizeof(nfgenmsg))));
    cut.header().nlmsg_len = static_cast<uint32_t>(size);
    ParseTraceMessage(cut.header());
  }
  for (size_t at = NLMSG_LENGTH(sizeof(nfgenmsg)); at < whole.bytes().size(); ++at) {
    Message garbled = whole;
    garbled.bytes()[at] = '\xff';
    ParseTraceMessage(garbled.header());
  }
}

TraceMessage Step(uint32_t id, const std::string& verdict, bool is_last = false) {
  TraceMessage message;
  message.packet_id = id;
  message.step.set_table("filter");
  message.step.set_verdict(verdict);
  message.is_last = is_last;
  return message;
}

TEST(TracedPacketsTest, ADroppedPacketIsWholeAtOnce) {
  TracedPackets packets;
  const absl::Time now = absl::FromUnixSeconds(100);
  TraceMessage mark = Step(1, "continue");
  mark.is_mark = true;
  mark.flow = "tcp a > b";
  EXPECT_EQ(packets.Add(0, mark, now).step, nullptr);
  packets.Add(0, Step(2, "continue"), now);
  packets.Add(0, Step(1, "jump more"), now);
  packets.Add(0, Step(1, "drop", true), now);
  const auto whole = packets.Take(now, false);
  ASSERT_EQ(whole.size(), 1U);
  EXPECT_EQ(whole[0].flow(), "tcp a > b");
  EXPECT_EQ(whole[0].steps_size(), 2);
  EXPECT_EQ(whole[0].verdict(), "drop");
  EXPECT_TRUE(packets.Take(now, false).empty());
  EXPECT_EQ(packets.Take(now + TracedPackets::kIdle, false).size(), 1U);
}

TEST(TracedPacketsTest, TheSameIdElsewhereIsAnotherPacket) {
  TracedPackets packets;
  const absl::Time now = absl::FromUnixSeconds(100);
  packets.Add(0, Step(1, "accept"), now);
  packets.Add(1, Step(1, "accept"), now);
  EXPECT_EQ(packets.Take(now, true).size(), 2U);
}

TEST(TracedPacketsTest, IsBounded) {
  TracedPackets packets;
  const absl::Time now = absl::FromUnixSeconds(100);
  for (uint32_t id = 0; id < 2 * TracedPackets::kMaxOpen; ++id) {
    packets.Add(0, Step(id, "continue"), now);
    EXPECT_LE(packets.Take(now, false).size(), 1U);
  }
  EXPECT_EQ(packets.Take(now, true).size(), TracedPackets::kMaxOpen);
  for (int i = 0; i < 2 * TracedPackets::kMaxSteps; ++i) packets.Add(0, Step(1, "continue"), now);
  EXPECT_EQ(packets.Take(now, true)[0].steps_size(), TracedPackets::kMaxSteps);
}

}  // namespace
}  // namespace kindling::agent
