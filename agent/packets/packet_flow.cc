#include "agent/packets/packet_flow.h"

#include <linux/if_ether.h>
#include <netinet/in.h>

#include <algorithm>

#include "base/byte_reader.h"

namespace kindling::agent {
namespace {

constexpr int kMaxVlanTags = 2;
constexpr int kMaxExtensionHeaders = 8;
constexpr uint16_t kFragmentOffset = 0x1fff;

IpAddress Address(base::ByteReader& reader, uint8_t size) {
  IpAddress address;
  const auto bytes = reader.Bytes(size);
  address.size = size;
  std::ranges::transform(bytes, address.bytes.begin(),
                         [](std::byte b) { return static_cast<uint8_t>(b); });
  return address;
}

// Leaves `reader` at the transport's header; its protocol number, -1: it cannot be had.
int ReadIpv4(base::ByteReader& reader, PacketFlow* flow) {
  const size_t header_bytes = size_t{reader.U8() & 0xfu} * 4;
  reader.Skip(5);
  const bool is_later_fragment = (reader.U16Be() & kFragmentOffset) != 0;
  reader.Skip(1);
  const int protocol = reader.U8();
  reader.Skip(2);
  flow->source = Address(reader, 4);
  flow->destination = Address(reader, 4);
  if (header_bytes < 20 || is_later_fragment) return -1;
  reader.Skip(header_bytes - 20);
  return protocol;
}

int ReadIpv6(base::ByteReader& reader, PacketFlow* flow) {
  reader.Skip(6);
  int next = reader.U8();
  reader.Skip(1);
  flow->source = Address(reader, 16);
  flow->destination = Address(reader, 16);
  for (int i = 0; i < kMaxExtensionHeaders; ++i) {
    switch (next) {
      case IPPROTO_HOPOPTS:
      case IPPROTO_ROUTING:
      case IPPROTO_DSTOPTS: {
        next = reader.U8();
        const size_t units = reader.U8();
        reader.Skip(units * 8 + 6);
        break;
      }
      case IPPROTO_FRAGMENT: {
        next = reader.U8();
        reader.Skip(1);
        if ((reader.U16Be() & 0xfff8) != 0) return -1;
        reader.Skip(4);
        break;
      }
      default:
        return next;
    }
  }
  return -1;
}

}  // namespace

std::optional<PacketFlow> FlowOfPacket(std::span<const std::byte> packet, bool has_link_layer) {
  base::ByteReader link(packet);
  if (has_link_layer) {
    link.Skip(12);
    uint16_t type = link.U16Be();
    for (int i = 0; i < kMaxVlanTags && (type == ETH_P_8021Q || type == ETH_P_8021AD); ++i) {
      link.Skip(2);
      type = link.U16Be();
    }
    if (type != ETH_P_IP && type != ETH_P_IPV6) return std::nullopt;
  }
  if (!link.ok() || link.remaining() == 0) return std::nullopt;
  base::ByteReader reader(packet.subspan(link.position()));
  const auto version = static_cast<uint8_t>(packet[link.position()]) >> 4;
  PacketFlow flow;
  int protocol = -1;
  if (version == 4) protocol = ReadIpv4(reader, &flow);
  if (version == 6) protocol = ReadIpv6(reader, &flow);
  if (protocol == IPPROTO_TCP) flow.transport = model::Transport::kTcp;
  if (protocol == IPPROTO_UDP) flow.transport = model::Transport::kUdp;
  flow.source_port = reader.U16Be();
  flow.destination_port = reader.U16Be();
  if (!reader.ok() || flow.transport == model::Transport::kUnknown) return std::nullopt;
  return flow;
}

}  // namespace kindling::agent
