#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "agent/capture/events.h"
#include "model/protocol.h"

namespace kindling::agent {

// Who a packet says that it goes from and to.
struct PacketFlow {
  model::Transport transport = model::Transport::kUnknown;
  IpAddress source;
  IpAddress destination;
  uint16_t source_port = 0;
  uint16_t destination_port = 0;
  bool operator==(const PacketFlow&) const = default;
};

// The flow of a TCP or UDP packet; nullopt for any other, for a fragment that is not the first, and
// for what is cut off before the ports. `has_link_layer`: it begins with an Ethernet header, which
// up to two VLAN tags may follow.
std::optional<PacketFlow> FlowOfPacket(std::span<const std::byte> packet, bool has_link_layer);

}  // namespace kindling::agent
