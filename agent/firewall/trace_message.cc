#include "agent/firewall/trace_message.h"

#include <arpa/inet.h>
#include <endian.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include <array>
#include <cstring>

#include "absl/strings/str_format.h"

namespace kindling::agent {
namespace {

// The attributes of a message or of a nest, by type; what is cut off is not there.
class Attributes {
 public:
  explicit Attributes(const nlmsghdr& message) {
    mnl_attr_parse(&message, sizeof(nfgenmsg), Keep, this);
  }
  explicit Attributes(const nlattr* nest) {
    if (nest != nullptr) mnl_attr_parse_nested(nest, Keep, this);
  }

  const nlattr* operator[](size_t type) const { return found_[type]; }
  std::optional<uint32_t> Number(size_t type) const {
    const std::span<const std::byte> data = Data(type);
    uint32_t value = 0;
    if (data.size() != sizeof(value)) return std::nullopt;
    std::memcpy(&value, data.data(), sizeof(value));
    return ntohl(value);
  }
  std::string Text(size_t type) const {
    const std::span<const std::byte> data = Data(type);
    const char* text = reinterpret_cast<const char*>(data.data());
    return {text, strnlen(text, data.size())};
  }
  std::span<const std::byte> Data(size_t type) const {
    if (found_[type] == nullptr) return {};
    return {static_cast<const std::byte*>(mnl_attr_get_payload(found_[type])),
            mnl_attr_get_payload_len(found_[type])};
  }

 private:
  static int Keep(const nlattr* attribute, void* self) {
    const uint16_t type = mnl_attr_get_type(attribute);
    if (type < kTypes) static_cast<Attributes*>(self)->found_[type] = attribute;
    return MNL_CB_OK;
  }

  static constexpr size_t kTypes = 32;
  static_assert(NFTA_TRACE_MAX < kTypes && NFTA_VERDICT_MAX < kTypes);
  std::array<const nlattr*, kTypes> found_{};
};
const char* FamilyName(uint32_t family) {
  switch (family) {
    case NFPROTO_IPV4:
      return "ip";
    case NFPROTO_IPV6:
      return "ip6";
    case NFPROTO_INET:
      return "inet";
    case NFPROTO_BRIDGE:
      return "bridge";
    case NFPROTO_ARP:
      return "arp";
    case NFPROTO_NETDEV:
      return "netdev";
    default:
      return "";
  }
}

// Null: none that is known.
const char* TypeName(uint32_t type) {
  switch (type) {
    case NFT_TRACETYPE_RULE:
      return "rule";
    case NFT_TRACETYPE_RETURN:
      return "return";
    case NFT_TRACETYPE_POLICY:
      return "policy";
    default:
      return nullptr;
  }
}

std::string VerdictName(uint32_t verdict, const std::string& target) {
  switch (static_cast<int32_t>(verdict)) {
    case NF_DROP:
      return "drop";
    case NF_ACCEPT:
      return "accept";
    case NF_STOLEN:
      return "stolen";
    case NFT_CONTINUE:
      return "continue";
    case NFT_BREAK:
      return "break";
    case NFT_RETURN:
      return "return";
    case NFT_JUMP:
      return "jump " + target;
    case NFT_GOTO:
      return "goto " + target;
    default:
      return (verdict & NF_VERDICT_MASK) == NF_QUEUE ? "queue" : "";
  }
}

uint8_t ByteAt(std::span<const std::byte> bytes, size_t at) {
  return static_cast<uint8_t>(bytes[at]);
}
uint32_t Two(std::span<const std::byte> bytes, size_t at) {
  return uint32_t{ByteAt(bytes, at)} << 8 | ByteAt(bytes, at + 1);
}

std::string AddressAt(std::span<const std::byte> bytes, size_t at, int family) {
  char text[INET6_ADDRSTRLEN] = "";
  inet_ntop(family, bytes.data() + at, text, sizeof(text));
  return text;
}

uint32_t PacketBytes(std::span<const std::byte> network) {
  if (network.size() >= 20 && ByteAt(network, 0) >> 4 == 4) return Two(network, 2);
  if (network.size() >= 40 && ByteAt(network, 0) >> 4 == 6) return 40 + Two(network, 4);
  return 0;
}

}  // namespace

std::string DescribePacket(std::span<const std::byte> network,
                           std::span<const std::byte> transport) {
  if (network.empty()) return "";
  const bool is_v4 = ByteAt(network, 0) >> 4 == 4 && network.size() >= 20;
  const bool is_v6 = ByteAt(network, 0) >> 4 == 6 && network.size() >= 40;
  if (!is_v4 && !is_v6) return "";
  const int family = is_v4 ? AF_INET : AF_INET6;
  const std::string from = AddressAt(network, is_v4 ? 12 : 8, family);
  const std::string to = AddressAt(network, is_v4 ? 16 : 24, family);
  const uint8_t protocol = ByteAt(network, is_v4 ? 9 : 6);
  if ((protocol == IPPROTO_TCP || protocol == IPPROTO_UDP) && transport.size() >= 4) {
    return absl::StrFormat(is_v4 ? "%s %s:%d > %s:%d" : "%s [%s]:%d > [%s]:%d",
                           protocol == IPPROTO_TCP ? "tcp" : "udp", from, Two(transport, 0), to,
                           Two(transport, 2));
  }
  if (protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6) {
    return absl::StrFormat("icmp %s > %s", from, to);
  }
  return absl::StrFormat("protocol %d %s > %s", protocol, from, to);
}

std::optional<TraceMessage> ParseTraceMessage(const nlmsghdr& message) {
  if (message.nlmsg_type != ((NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_TRACE) ||
      message.nlmsg_len < NLMSG_LENGTH(sizeof(nfgenmsg))) {
    return std::nullopt;
  }
  const Attributes trace(message);
  const std::optional<uint32_t> id = trace.Number(NFTA_TRACE_ID);
  const char* type = TypeName(trace.Number(NFTA_TRACE_TYPE).value_or(NFT_TRACETYPE_UNSPEC));
  if (!id.has_value() || type == nullptr) return std::nullopt;
  TraceMessage out;
  out.packet_id = *id;
  out.input_device = trace.Number(NFTA_TRACE_IIF).value_or(0);
  out.output_device = trace.Number(NFTA_TRACE_OIF).value_or(0);
  const auto* family = static_cast<const nfgenmsg*>(mnl_nlmsg_get_payload(&message));
  out.step.set_family(FamilyName(family->nfgen_family));
  out.step.set_table(trace.Text(NFTA_TRACE_TABLE));
  out.step.set_chain(trace.Text(NFTA_TRACE_CHAIN));
  out.step.set_type(type);
  if (const std::span<const std::byte> handle = trace.Data(NFTA_TRACE_RULE_HANDLE);
      handle.size() == sizeof(uint64_t)) {
    uint64_t value = 0;
    std::memcpy(&value, handle.data(), sizeof(value));
    out.step.set_handle(static_cast<double>(be64toh(value)));
  }
  const Attributes verdict(trace[NFTA_TRACE_VERDICT]);
  if (const std::optional<uint32_t> code = verdict.Number(NFTA_VERDICT_CODE)) {
    out.step.set_verdict(VerdictName(*code, verdict.Text(NFTA_VERDICT_CHAIN)));
  }
  if (const std::optional<uint32_t> policy = trace.Number(NFTA_TRACE_POLICY)) {
    out.step.set_verdict(VerdictName(*policy, ""));
  }
  const std::span<const std::byte> network = trace.Data(NFTA_TRACE_NETWORK_HEADER);
  out.flow = DescribePacket(network, trace.Data(NFTA_TRACE_TRANSPORT_HEADER));
  out.bytes = PacketBytes(network);
  out.is_last = out.step.verdict() == "drop";
  return out;
}

}  // namespace kindling::agent
