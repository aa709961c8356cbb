#pragma once

#include <linux/netlink.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "agent/capture/events.h"

// Reads the answers of rtnetlink. A message that is not what it should be gives no figure.
namespace kindling::agent {

using DeviceNames = std::map<int, std::string>;  // by interface index

// An RTM_NEWLINK: the counters of a device. Its name goes to `names`.
// REQUIRES: the message is as long as it says.
void ReadLink(const nlmsghdr& message, DeviceNames& names, std::vector<NetworkFigure>& figures);

// An RTM_NEWQDISC, after the devices; one that never counted anything, as noqueue, has none.
// REQUIRES: as above.
void ReadQdisc(const nlmsghdr& message, const DeviceNames& names,
               std::vector<NetworkFigure>& figures);

}  // namespace kindling::agent
