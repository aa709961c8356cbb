#include "agent/network/host/local_ports.h"

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>

#include <cstring>

namespace kindling::agent {

void LocalPorts::Add(const nlmsghdr& message) {
  if (message.nlmsg_type != SOCK_DIAG_BY_FAMILY ||
      mnl_nlmsg_get_payload_len(&message) < sizeof(inet_diag_msg)) {
    return;
  }
  inet_diag_msg socket;
  std::memcpy(&socket, mnl_nlmsg_get_payload(&message), sizeof(socket));
  const uint16_t port = ntohs(socket.id.idiag_sport);
  if (port < range_.first || port > range_.last) return;
  IpAddress address{.size = static_cast<uint8_t>(socket.idiag_family == AF_INET ? 4 : 16)};
  std::memcpy(address.bytes.data(), socket.id.idiag_src, address.size);
  auto found = used_.find(address);
  if (found == used_.end()) {
    if (used_.size() >= kMaxAddresses) {
      ++left_out_;
      return;
    }
    found = used_.emplace(address, std::make_unique<std::bitset<65536>>()).first;
  }
  found->second->set(port);
}

void LocalPorts::WriteTo(std::vector<NetworkFigure>& figures) const {
  // A dual-stack socket's address is the same one.
  std::map<std::string, std::bitset<65536>> by_text;
  for (const auto& [address, ports] : used_) by_text[ToString(address)] |= *ports;
  for (const auto& [address, ports] : by_text) {
    figures.push_back({.metric = model::host::Metric::kLocalPortsUsed,
                       .detail = address,
                       .value = static_cast<double>(ports.count())});
  }
}

}  // namespace kindling::agent
