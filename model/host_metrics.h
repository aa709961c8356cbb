#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "model/records.h"

// The metric series of a host's network: of devices, of network namespaces and of the host itself.
// Stored: never rename.
namespace kindling::model::host {

enum class Metric : uint8_t {
  // Of a device.
  kReceivedBytes,
  kReceivedPackets,
  kReceiveErrors,
  kReceiveDrops,
  kSentBytes,
  kSentPackets,
  kSendErrors,
  kSendDrops,
  kLinkUp,
  // Of a queueing discipline of a device.
  kQdiscDrops,
  kQdiscOverlimits,
  kQdiscRequeues,
  kQdiscBacklogBytes,
  kQdiscBacklogPackets,
  // Of a namespace.
  kConntrackEntries,
  kConntrackMax,
  kConntrackDrops,
  kProtocolDrops,
  kSockets,
  kLocalPorts,
  kLocalPortsUsed,
  kTcpMemoryPressures,
  kTcpMemoryPressureTime,
  // Of the host: every namespace has the same.
  kTcpMemoryBytes,
  kTcpMemoryPressureBytes,
  kTcpMemoryMaxBytes,
  kUdpMemoryBytes,
  kUdpMemoryMaxBytes,
  kSoftirqPackets,
  kSoftirqDrops,
  kSoftirqSqueezes,
  kUnread,
};
inline constexpr size_t kMetrics = static_cast<size_t>(Metric::kUnread) + 1;

struct MetricInfo {
  const char* name;
  MetricKind kind;
  const char* detail;  // the label that tells kinds apart; "": none
  const char* help;
};

// By Metric.
inline constexpr std::array<MetricInfo, kMetrics> kInfo = {{
    {"net_received_bytes", MetricKind::kDelta, "", "Bytes that a device received."},
    {"net_received_packets", MetricKind::kDelta, "", "Packets that a device received."},
    {"net_receive_errors", MetricKind::kDelta, "", "Packets that a device received broken."},
    {"net_receive_drops", MetricKind::kDelta, "",
     "Packets that were received whole and thrown away, for want of buffers above all."},
    {"net_sent_bytes", MetricKind::kDelta, "", "Bytes that a device sent."},
    {"net_sent_packets", MetricKind::kDelta, "", "Packets that a device sent."},
    {"net_send_errors", MetricKind::kDelta, "", "Packets that a device failed to send."},
    {"net_send_drops", MetricKind::kDelta, "", "Packets to be sent that were thrown away."},
    {"net_link_up", MetricKind::kGauge, "", "1: the device carries packets, 0: it is down."},
    {"net_qdisc_drops", MetricKind::kDelta, "qdisc",
     "Packets that a queueing discipline threw away."},
    {"net_qdisc_overlimits", MetricKind::kDelta, "qdisc",
     "Times that a queueing discipline held packets back."},
    {"net_qdisc_requeues", MetricKind::kDelta, "qdisc",
     "Packets that a device did not take, and that were queued again."},
    {"net_qdisc_backlog_bytes", MetricKind::kGauge, "qdisc",
     "Bytes queued in a queueing discipline."},
    {"net_qdisc_backlog_packets", MetricKind::kGauge, "qdisc",
     "Packets queued in a queueing discipline."},
    {"net_conntrack_entries", MetricKind::kGauge, "", "Flows in the conntrack table."},
    {"net_conntrack_max", MetricKind::kGauge, "", "Flows that the conntrack table takes."},
    {"net_conntrack_drops", MetricKind::kDelta, "reason",
     "Packets and flows that conntrack threw away or did not take."},
    {"net_protocol_drops", MetricKind::kDelta, "reason",
     "Packets that IP, TCP or UDP threw away, by the kernel's counter."},
    {"net_sockets", MetricKind::kGauge, "kind", "Sockets, by kind."},
    {"net_local_ports", MetricKind::kGauge, "", "Ports in ip_local_port_range."},
    {"net_local_ports_used", MetricKind::kGauge, "address",
     "Ports of the range that a local address has TCP connections on."},
    {"net_tcp_memory_pressures", MetricKind::kDelta, "",
     "Times that TCP began to save memory (tcp_mem)."},
    {"net_tcp_memory_pressure_seconds", MetricKind::kDelta, "", "Time in which TCP saved memory."},
    {"net_tcp_memory_bytes", MetricKind::kGauge, "", "Memory of TCP's buffers."},
    {"net_tcp_memory_pressure_bytes", MetricKind::kGauge, "",
     "Memory beyond which TCP saves (tcp_mem)."},
    {"net_tcp_memory_max_bytes", MetricKind::kGauge, "", "Memory that TCP may take (tcp_mem)."},
    {"net_udp_memory_bytes", MetricKind::kGauge, "", "Memory of UDP's buffers."},
    {"net_udp_memory_max_bytes", MetricKind::kGauge, "", "Memory that UDP may take (udp_mem)."},
    {"net_softirq_packets", MetricKind::kDelta, "cpu", "Packets that a CPU's softirq took."},
    {"net_softirq_drops", MetricKind::kDelta, "cpu",
     "Packets that found a CPU's backlog full (netdev_max_backlog)."},
    {"net_softirq_squeezes", MetricKind::kDelta, "cpu",
     "Times that a CPU's softirq ran out of time or budget with packets left."},
    {"net_unread", MetricKind::kDelta, "reason",
     "Readings of namespaces or parts of them that failed."},
}};

constexpr const MetricInfo& InfoOf(Metric metric) { return kInfo[static_cast<size_t>(metric)]; }

// kMetrics where there is none of this name.
constexpr size_t IndexOf(std::string_view name) {
  size_t i = 0;
  while (i < kMetrics && name != kInfo[i].name) ++i;
  return i;
}

// Labels beside that of the kind.
inline constexpr char kHost[] = "host";
inline constexpr char kNetns[] = "netns";  // by name, or its inode number; none: of the host
inline constexpr char kDevice[] = "device";

// A reason of kUnread that is no failure: namespaces go away.
inline constexpr char kGone[] = "namespace_gone";

// How the qdisc label of a device's own discipline ends, "tbf 8001: root".
inline constexpr std::string_view kRootQdisc = " root";

}  // namespace kindling::model::host
