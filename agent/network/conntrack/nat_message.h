#pragma once

#include <linux/netlink.h>

#include <optional>

#include "agent/capture/nat_event.h"

namespace kindling::agent {

// A message of ctnetlink as what it says of a flow of TCP or UDP that NAT changes; nullopt for
// anything else. An answer to a dump gives kFound. The namespace is left out.
// REQUIRES: the message is as long as it says.
std::optional<NatEvent> ReadNatMessage(const nlmsghdr& message);

}  // namespace kindling::agent
