#pragma once

#include <linux/netlink.h>

#include <bitset>
#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "agent/capture/events.h"
#include "agent/network/host/proc_net.h"

namespace kindling::agent {

// Counts which ports of the ephemeral range local addresses have TCP connections on, from the
// answers of NETLINK_SOCK_DIAG. A connect without a bind() may share a port with one to another
// server, so a full range is a warning, not yet a failure.
//
// Limits: kMaxAddresses addresses, 8 KiB each; sockets of others are left out and counted.
class LocalPorts {
 public:
  explicit LocalPorts(PortRange range) : range_(range) {}

  // REQUIRES: the message is as long as it says.
  void Add(const nlmsghdr& message);
  // One for each address.
  void WriteTo(std::vector<NetworkFigure>& figures) const;
  uint64_t left_out() const { return left_out_; }

 private:
  static constexpr size_t kMaxAddresses = 256;

  const PortRange range_;
  std::map<IpAddress, std::unique_ptr<std::bitset<65536>>> used_;
  uint64_t left_out_ = 0;
};

}  // namespace kindling::agent
