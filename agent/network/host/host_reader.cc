#include "agent/network/host/host_reader.h"

#include <linux/inet_diag.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include "agent/network/host/link_messages.h"
#include "agent/network/host/local_ports.h"
#include "agent/network/host/proc_net.h"

namespace kindling::agent {
namespace {

using model::host::Metric;

// A thread's own: /proc/net is that of the process's first thread.
std::string ProcNet(const char* name) { return std::string("/proc/thread-self/net/") + name; }
std::string Sysctl(const char* name) { return std::string("/proc/sys/net/") + name; }

template <typename Body>
struct Request {
  nlmsghdr header{};
  Body body{};
  explicit Request(uint16_t type) {
    header = {.nlmsg_len = sizeof(Request),
              .nlmsg_type = type,
              .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP};
  }
  std::span<const std::byte> bytes() const { return std::as_bytes(std::span(this, 1)); }
};

void ReadPorts(KernelAnswers& kernel, NetworkReading& reading, HostReadFailures& failures) {
  const PortRange range = ReadPortRange(kernel.File(Sysctl("ipv4/ip_local_port_range")));
  if (range.size() == 0) return;
  reading.figures.push_back({.metric = Metric::kLocalPorts, .value = range.size()});
  LocalPorts ports(range);
  bool is_whole = true;
  for (const uint8_t family : {AF_INET, AF_INET6}) {
    Request<inet_diag_req_v2> request(SOCK_DIAG_BY_FAMILY);
    request.body.sdiag_family = family;
    request.body.sdiag_protocol = IPPROTO_TCP;
    // Each holds its port, but for those that listen: they were given theirs.
    request.body.idiag_states = ~(1u << TCP_LISTEN | 1u << TCP_CLOSE);
    is_whole &= kernel.Dump(NETLINK_SOCK_DIAG, request.bytes(),
                            [&](const nlmsghdr& message) { ports.Add(message); });
  }
  failures.too_many += ports.left_out();
  // A part of the ports would be a number that is wrong.
  if (is_whole) {
    ports.WriteTo(reading.figures);
  } else {
    ++failures.sockets;
  }
}

}  // namespace

NetworkReading ReadNamespace(KernelAnswers& kernel, HostReadFailures& failures) {
  NetworkReading reading;
  std::vector<NetworkFigure>& figures = reading.figures;
  DeviceNames names;
  const auto visit = [&](auto read) {
    return [&, read](const nlmsghdr& message) {
      if (figures.size() < kMaxFigures) {
        read(message);
      } else {
        ++failures.too_many;
      }
    };
  };
  Request<ifinfomsg> links(RTM_GETLINK);
  if (!kernel.Dump(NETLINK_ROUTE, links.bytes(),
                   visit([&](const nlmsghdr& message) { ReadLink(message, names, figures); }))) {
    ++failures.links;
  }
  Request<tcmsg> qdiscs(RTM_GETQDISC);
  if (!kernel.Dump(NETLINK_ROUTE, qdiscs.bytes(),
                   visit([&](const nlmsghdr& message) { ReadQdisc(message, names, figures); }))) {
    ++failures.qdiscs;
  }
  ReadProtocolCounters(kernel.File(ProcNet("snmp")), figures);
  ReadProtocolCounters(kernel.File(ProcNet("netstat")), figures);
  ReadSockets(kernel.File(ProcNet("sockstat")), figures);
  ReadConntrackCounters(kernel.File(ProcNet("stat/nf_conntrack")), figures);
  ReadNumber(kernel.File(Sysctl("netfilter/nf_conntrack_count")), Metric::kConntrackEntries,
             figures);
  ReadNumber(kernel.File(Sysctl("netfilter/nf_conntrack_max")), Metric::kConntrackMax, figures);
  ReadPorts(kernel, reading, failures);
  return reading;
}

NetworkReading ReadHost(KernelAnswers& kernel) {
  NetworkReading reading;
  ReadSoftnet(kernel.File(ProcNet("softnet_stat")), reading.figures);
  ReadSocketMemory(kernel.File(ProcNet("sockstat")), kernel.File(Sysctl("ipv4/tcp_mem")),
                   kernel.File(Sysctl("ipv4/udp_mem")), static_cast<double>(sysconf(_SC_PAGESIZE)),
                   reading.figures);
  return reading;
}

}  // namespace kindling::agent
