#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "agent/capture/ip_address.h"
#include "model/protocol.h"

namespace kindling::agent {

struct Endpoint {
  IpAddress address;
  uint16_t port = 0;
  auto operator<=>(const Endpoint&) const = default;

  template <typename H>
  friend H AbslHashValue(H h, const Endpoint& endpoint) {
    return H::combine(std::move(h), endpoint.address.bytes, endpoint.port);
  }
};
// "10.0.0.1:80", "[fe80::1]:80".
std::string ToString(const Endpoint& endpoint);

// Recorded: never renumber.
enum class NatEventKind : uint8_t {
  kNew = 1,    // a flow began
  kFound = 2,  // it is there
  kEnded = 3,
  kListBegin = 4,  // all flows of the namespace that are there follow as kFound,
  kListEnd = 5,    // and that were all; others may have begun and ended meanwhile
  kLost = 6,       // events found no room
};

// What the kernel's conntrack tells of a flow whose addresses NAT changes.
struct NatEvent {
  NatEventKind kind = NatEventKind::kNew;
  uint32_t netns = 0;  // inode number of the namespace that does it
  model::Transport transport = model::Transport::kUnknown;
  Endpoint client;   // who began it
  Endpoint asked;    // whom it sends to
  Endpoint server;   // who answers: not the one asked where the destination is changed
  Endpoint seen_as;  // as whom the server sees the client
  uint64_t lost = 0;
  bool operator==(const NatEvent&) const = default;
};

}  // namespace kindling::agent
