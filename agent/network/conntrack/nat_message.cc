#include "agent/network/conntrack/nat_message.h"

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netinet/in.h>

#include <array>
#include <cstring>

// libnetfilter_conntrack ends the process over an attribute of another size than it expects.
namespace kindling::agent {
namespace {

constexpr size_t kTypes = 16;  // more than is read of any

// Attributes by type; null: not there.
using Attributes = std::array<const nlattr*, kTypes>;

int Keep(const nlattr* attribute, void* data) {
  const uint16_t type = mnl_attr_get_type(attribute);
  if (type < kTypes) (*static_cast<Attributes*>(data))[type] = attribute;
  return MNL_CB_OK;
}

Attributes Nested(const nlattr* attribute) {
  Attributes inside{};
  if (attribute != nullptr) mnl_attr_parse_nested(attribute, Keep, &inside);
  return inside;
}

bool ReadBytes(const nlattr* attribute, void* out, size_t size) {
  if (attribute == nullptr || mnl_attr_get_payload_len(attribute) != size) return false;
  std::memcpy(out, mnl_attr_get_payload(attribute), size);
  return true;
}

bool ReadAddress(const Attributes& addresses, uint16_t ipv4, uint16_t ipv6, IpAddress* out) {
  out->size = addresses[ipv4] != nullptr ? 4 : 16;
  return ReadBytes(addresses[out->size == 4 ? ipv4 : ipv6], out->bytes.data(), out->size);
}

bool ReadPort(const nlattr* attribute, uint16_t* out) {
  if (!ReadBytes(attribute, out, sizeof(*out))) return false;
  *out = ntohs(*out);
  return true;
}

// One direction of a flow.
struct Tuple {
  Endpoint source, destination;
  uint8_t protocol = 0;
};

bool ReadTuple(const nlattr* attribute, Tuple* out) {
  const Attributes parts = Nested(attribute);
  const Attributes addresses = Nested(parts[CTA_TUPLE_IP]);
  const Attributes ports = Nested(parts[CTA_TUPLE_PROTO]);
  return ReadBytes(ports[CTA_PROTO_NUM], &out->protocol, sizeof(out->protocol)) &&
         ReadAddress(addresses, CTA_IP_V4_SRC, CTA_IP_V6_SRC, &out->source.address) &&
         ReadAddress(addresses, CTA_IP_V4_DST, CTA_IP_V6_DST, &out->destination.address) &&
         ReadPort(ports[CTA_PROTO_SRC_PORT], &out->source.port) &&
         ReadPort(ports[CTA_PROTO_DST_PORT], &out->destination.port);
}

std::optional<NatEventKind> KindOf(const nlmsghdr& message) {
  if ((message.nlmsg_type >> 8) != NFNL_SUBSYS_CTNETLINK) return std::nullopt;
  switch (message.nlmsg_type & 0xff) {
    case IPCTNL_MSG_CT_NEW:  // of an event it says whether it is a new one or a change of one
      return (message.nlmsg_flags & (NLM_F_CREATE | NLM_F_EXCL)) != 0 ? NatEventKind::kNew
                                                                      : NatEventKind::kFound;
    case IPCTNL_MSG_CT_DELETE:
      return NatEventKind::kEnded;
    default:
      return std::nullopt;
  }
}

}  // namespace

std::optional<NatEvent> ReadNatMessage(const nlmsghdr& message) {
  const std::optional<NatEventKind> kind = KindOf(message);
  if (!kind || mnl_nlmsg_get_payload_len(&message) < sizeof(nfgenmsg)) return std::nullopt;
  Attributes attributes{};
  if (mnl_attr_parse(&message, sizeof(nfgenmsg), Keep, &attributes) < 0) return std::nullopt;
  Tuple original;
  Tuple reply;
  if (!ReadTuple(attributes[CTA_TUPLE_ORIG], &original) ||
      !ReadTuple(attributes[CTA_TUPLE_REPLY], &reply)) {
    return std::nullopt;
  }
  if (original.protocol != IPPROTO_TCP && original.protocol != IPPROTO_UDP) return std::nullopt;
  if (original.destination == reply.source && original.source == reply.destination) {
    return std::nullopt;
  }
  return NatEvent{.kind = *kind,
                  .transport = original.protocol == IPPROTO_TCP ? model::Transport::kTcp
                                                                : model::Transport::kUdp,
                  .client = original.source,
                  .asked = original.destination,
                  .server = reply.source,
                  .seen_as = reply.destination};
}

}  // namespace kindling::agent
