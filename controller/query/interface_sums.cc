#include "controller/query/interface_sums.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "kindling/v1/query.pb.h"

namespace kindling::controller {

using model::host::Metric;

void InterfaceSums::Add(Metric metric, std::string_view detail,
                        const storage::MetricWindow& window) {
  Details& details = figures_[metric];
  auto found = details.find(detail);
  if (found == details.end()) found = details.emplace(detail, Figure()).first;
  Figure& figure = found->second;
  figure.most = figure.points == 0 ? window.most : std::max(figure.most, window.most);
  figure.points += static_cast<double>(window.count);
  figure.sum += window.sum;
  if (window.last_ns >= figure.last_ns) figure.last = window.last;
  figure.first_ns = std::min(figure.first_ns, window.time_ns);
  figure.last_ns = std::max(figure.last_ns, window.last_ns);
}

const InterfaceSums::Details& InterfaceSums::Of(Metric metric) const {
  static const auto& none = *new Details();
  const auto found = figures_.find(metric);
  return found == figures_.end() ? none : found->second;
}

double InterfaceSums::Sum(Metric metric) const {
  double sum = 0;
  for (const auto& [detail, figure] : Of(metric)) sum += figure.sum;
  return sum;
}

double InterfaceSums::Points(Metric metric) const {
  double points = 0;
  for (const auto& [detail, figure] : Of(metric)) points += figure.points;
  return points;
}

double InterfaceSums::Most(Metric metric) const {
  double most = 0;
  for (const auto& [detail, figure] : Of(metric)) most = std::max(most, figure.most);
  return most;
}

double InterfaceSums::Last(Metric metric) const {
  const Details& details = Of(metric);
  return details.empty() ? 0 : details.begin()->second.last;
}

double InterfaceSums::Seconds() const {
  for (const auto& [detail, figure] : Of(Metric::kLinkUp)) {
    return static_cast<double>(figure.last_ns - figure.first_ns) / 1e9;
  }
  return 0;
}

void InterfaceSums::WriteTo(v1::Interface* out) const {
  out->set_up(Last(Metric::kLinkUp) > 0);
  out->set_seconds(Seconds());
  out->set_received_bytes(Sum(Metric::kReceivedBytes));
  out->set_sent_bytes(Sum(Metric::kSentBytes));
  out->set_received_packets(Sum(Metric::kReceivedPackets));
  out->set_sent_packets(Sum(Metric::kSentPackets));
  out->set_receive_errors(Sum(Metric::kReceiveErrors));
  out->set_send_errors(Sum(Metric::kSendErrors));
  out->set_receive_drops(Sum(Metric::kReceiveDrops));
  out->set_send_drops(Sum(Metric::kSendDrops));
  std::map<std::string_view, v1::Qdisc> qdiscs;
  for (const auto& [metric, set, is_gauge] :
       {std::tuple(Metric::kQdiscDrops, &v1::Qdisc::set_drops, false),
        {Metric::kQdiscOverlimits, &v1::Qdisc::set_overlimits, false},
        {Metric::kQdiscRequeues, &v1::Qdisc::set_requeues, false},
        {Metric::kQdiscBacklogBytes, &v1::Qdisc::set_backlog_bytes, true},
        {Metric::kQdiscBacklogPackets, &v1::Qdisc::set_backlog_packets, true}}) {
    for (const auto& [name, figure] : Of(metric)) {
      (qdiscs[name].*set)(is_gauge ? figure.most : figure.sum);
    }
  }
  for (auto& [name, qdisc] : qdiscs) {
    qdisc.set_name(std::string(name));
    *out->add_qdiscs() = std::move(qdisc);
  }
}

void InterfaceSums::WriteTo(v1::NetworkNamespace* out) const {
  out->set_conntrack_entries(Most(Metric::kConntrackEntries));
  out->set_conntrack_max(Last(Metric::kConntrackMax));
  for (const auto& [reason, figure] : Of(Metric::kConntrackDrops)) {
    (*out->mutable_conntrack_drops())[reason] = figure.sum;
  }
  for (const auto& [reason, figure] : Of(Metric::kProtocolDrops)) {
    (*out->mutable_protocol_drops())[reason] = figure.sum;
  }
  for (const auto& [kind, figure] : Of(Metric::kSockets)) {
    (*out->mutable_sockets())[kind] = figure.last;
  }
  out->set_local_ports(Last(Metric::kLocalPorts));
  for (const auto& [address, figure] : Of(Metric::kLocalPortsUsed)) {
    if (figure.most <= out->local_ports_used()) continue;
    out->set_local_ports_used(figure.most);
    out->set_local_ports_address(address);
  }
  out->set_tcp_memory_pressures(Sum(Metric::kTcpMemoryPressures));
  out->set_tcp_memory_pressure_seconds(Sum(Metric::kTcpMemoryPressureTime));
}

void InterfaceSums::WriteTo(v1::HostNetwork* out) const {
  out->set_tcp_memory_bytes(Most(Metric::kTcpMemoryBytes));
  out->set_tcp_memory_pressure_bytes(Last(Metric::kTcpMemoryPressureBytes));
  out->set_tcp_memory_max_bytes(Last(Metric::kTcpMemoryMaxBytes));
  out->set_udp_memory_bytes(Most(Metric::kUdpMemoryBytes));
  out->set_udp_memory_max_bytes(Last(Metric::kUdpMemoryMaxBytes));
  out->set_softirq_packets(Sum(Metric::kSoftirqPackets));
  out->set_softirq_drops(Sum(Metric::kSoftirqDrops));
  out->set_softirq_squeezes(Sum(Metric::kSoftirqSqueezes));
  for (const auto& [reason, figure] : Of(Metric::kUnread)) {
    (*out->mutable_unread())[reason] = figure.sum;
  }
}

}  // namespace kindling::controller
