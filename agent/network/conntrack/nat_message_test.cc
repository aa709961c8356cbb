#include "agent/network/conntrack/nat_message.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netinet/in.h>

#include <array>
#include <string>
#include <vector>

namespace kindling::agent {
namespace {

struct Tuple {
  const char* source;
  uint16_t source_port;
  const char* destination;
  uint16_t destination_port;
};

void PutTuple(nlmsghdr* message, uint16_t type, const Tuple& tuple, uint8_t protocol) {
  const bool is_ipv6 = std::string_view(tuple.source).find(':') != std::string_view::npos;
  const auto put = [&](uint16_t attribute, const char* text) {
    std::array<uint8_t, 16> bytes{};
    inet_pton(is_ipv6 ? AF_INET6 : AF_INET, text, bytes.data());
    mnl_attr_put(message, attribute, is_ipv6 ? 16 : 4, bytes.data());
  };
  nlattr* nest = mnl_attr_nest_start(message, type);
  nlattr* addresses = mnl_attr_nest_start(message, CTA_TUPLE_IP);
  put(is_ipv6 ? CTA_IP_V6_SRC : CTA_IP_V4_SRC, tuple.source);
  put(is_ipv6 ? CTA_IP_V6_DST : CTA_IP_V4_DST, tuple.destination);
  mnl_attr_nest_end(message, addresses);
  nlattr* ports = mnl_attr_nest_start(message, CTA_TUPLE_PROTO);
  mnl_attr_put_u8(message, CTA_PROTO_NUM, protocol);
  mnl_attr_put_u16(message, CTA_PROTO_SRC_PORT, htons(tuple.source_port));
  mnl_attr_put_u16(message, CTA_PROTO_DST_PORT, htons(tuple.destination_port));
  mnl_attr_nest_end(message, ports);
  mnl_attr_nest_end(message, nest);
}

// As the kernel lays it out (nf_conntrack_netlink.c).
std::vector<char> Message(uint16_t kind, uint16_t flags, const Tuple& original, const Tuple& reply,
                          uint8_t protocol = IPPROTO_TCP) {
  std::vector<char> bytes(4096);
  nlmsghdr* message = mnl_nlmsg_put_header(bytes.data());
  message->nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8 | kind;
  message->nlmsg_flags = flags;
  auto* family = static_cast<nfgenmsg*>(mnl_nlmsg_put_extra_header(message, sizeof(nfgenmsg)));
  family->nfgen_family =
      std::string_view(original.source).find(':') != std::string_view::npos ? AF_INET6 : AF_INET;
  PutTuple(message, CTA_TUPLE_ORIG, original, protocol);
  PutTuple(message, CTA_TUPLE_REPLY, reply, protocol);
  bytes.resize(message->nlmsg_len);
  return bytes;
}

std::optional<NatEvent> Read(const std::vector<char>& bytes) {
  return ReadNatMessage(*reinterpret_cast<const nlmsghdr*>(bytes.data()));
}

constexpr uint16_t kNew = NLM_F_CREATE | NLM_F_EXCL;

TEST(NatMessageTest, AServiceAndWhoAnswers) {
  const auto event = Read(Message(IPCTNL_MSG_CT_NEW, kNew, {"10.1.0.5", 40000, "10.96.0.1", 80},
                                  {"10.2.0.7", 8080, "192.0.2.1", 1024}));
  ASSERT_TRUE(event.has_value());
  EXPECT_EQ(event->kind, NatEventKind::kNew);
  EXPECT_EQ(event->transport, model::Transport::kTcp);
  EXPECT_EQ(ToString(event->client), "10.1.0.5:40000");
  EXPECT_EQ(ToString(event->asked), "10.96.0.1:80");
  EXPECT_EQ(ToString(event->server), "10.2.0.7:8080");
  EXPECT_EQ(ToString(event->seen_as), "192.0.2.1:1024");
}

TEST(NatMessageTest, KindsOfMessages) {
  const Tuple original{"fd00::5", 40000, "fd00::1", 53};
  const Tuple reply{"fd00::7", 5353, "fd00::5", 40000};
  const auto ended = Read(Message(IPCTNL_MSG_CT_DELETE, 0, original, reply, IPPROTO_UDP));
  ASSERT_TRUE(ended.has_value());
  EXPECT_EQ(ended->kind, NatEventKind::kEnded);
  EXPECT_EQ(ended->transport, model::Transport::kUdp);
  EXPECT_EQ(ToString(ended->server), "[fd00::7]:5353");
  EXPECT_EQ(Read(Message(IPCTNL_MSG_CT_NEW, NLM_F_MULTI, original, reply))->kind,
            NatEventKind::kFound);
}

TEST(NatMessageTest, NothingOfWhatNatDoesNotChange) {
  const Tuple original{"10.1.0.5", 40000, "10.2.0.7", 80};
  const Tuple back{"10.2.0.7", 80, "10.1.0.5", 40000};
  EXPECT_FALSE(Read(Message(IPCTNL_MSG_CT_NEW, kNew, original, back)));
  EXPECT_TRUE(
      Read(Message(IPCTNL_MSG_CT_NEW, kNew, original, {"10.2.0.7", 81, "10.1.0.5", 40000})));
  // Of other protocols, and of messages about something else.
  EXPECT_FALSE(Read(Message(IPCTNL_MSG_CT_NEW, kNew, original, {"10.2.0.8", 80, "10.1.0.5", 40000},
                            IPPROTO_ICMP)));
  EXPECT_FALSE(
      Read(Message(IPCTNL_MSG_CT_GET_STATS, kNew, original, {"10.2.0.8", 80, "10.1.0.5", 40000})));
}

TEST(NatMessageTest, CutAndDamagedMessages) {
  const std::vector<char> whole = Message(IPCTNL_MSG_CT_NEW, kNew, {"10.1.0.5", 1, "10.96.0.1", 2},
                                          {"10.2.0.7", 3, "10.1.0.5", 1});
  // The last bytes are padding.
  for (uint32_t size = sizeof(nlmsghdr); size + 4 <= whole.size(); ++size) {
    std::vector<char> cut = whole;
    reinterpret_cast<nlmsghdr*>(cut.data())->nlmsg_len = size;
    EXPECT_FALSE(Read(cut)) << size;
  }
  for (size_t at = sizeof(nlmsghdr); at < whole.size(); ++at) {
    for (const char value : {'\0', '\1', '\x7f', '\xff'}) {
      std::vector<char> damaged = whole;
      damaged[at] = value;
      Read(damaged);
    }
  }
}

}  // namespace
}  // namespace kindling::agent
