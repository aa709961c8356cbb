#pragma once

#include <string_view>
#include <vector>

#include "agent/capture/events.h"

// Reads the kernel's text files about the network. What cannot be read gives no figure.
namespace kindling::agent {

// /proc/net/sockstat: sockets by kind, of the namespace.
void ReadSockets(std::string_view sockstat, std::vector<NetworkFigure>& figures);
// The same and tcp_mem or udp_mem: pages in use and the limits of them, of the host. A limit that
// is not there is left out.
void ReadSocketMemory(std::string_view sockstat, std::string_view tcp_mem, std::string_view udp_mem,
                      double page_bytes, std::vector<NetworkFigure>& figures);
// /proc/net/netstat or snmp: pairs of lines, the first with names.
void ReadProtocolCounters(std::string_view text, std::vector<NetworkFigure>& figures);
// /proc/net/softnet_stat: a line of hexadecimal numbers for each CPU.
void ReadSoftnet(std::string_view text, std::vector<NetworkFigure>& figures);
// /proc/net/stat/nf_conntrack: a line of names, a line of hexadecimal numbers for each CPU.
void ReadConntrackCounters(std::string_view text, std::vector<NetworkFigure>& figures);
// A file of one number.
void ReadNumber(std::string_view text, model::host::Metric metric,
                std::vector<NetworkFigure>& figures);

// /proc/sys/net/ipv4/ip_local_port_range; first > last: it could not be read.
struct PortRange {
  uint16_t first = 1;
  uint16_t last = 0;
  double size() const { return last < first ? 0 : last - first + 1; }
};
PortRange ReadPortRange(std::string_view text);

}  // namespace kindling::agent
