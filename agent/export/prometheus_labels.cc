#include "agent/export/prometheus_labels.h"

#include <cstring>

#include "absl/strings/numbers.h"
#include "model/drop_metrics.h"
#include "model/host_metrics.h"
#include "model/nat_metrics.h"

namespace kindling::agent {
namespace {

constexpr int kMaxErrno = 4095;

std::string PortOf(const model::Party& party) {
  return party.port == 0 ? "" : std::to_string(party.port);
}

// A peer that is no workload of this host is named as well as it can be.
std::string WorkloadOf(const model::Party& party) {
  return party.workload.empty() ? party.dns_name : party.workload;
}

// The nine labels of one end, for example src_node.
void AddEnd(const std::string& prefix, const model::Party& party, base::MetricLabels& labels) {
  labels.emplace_back(prefix + "node", party.host);
  labels.emplace_back(prefix + "namespace", "");
  labels.emplace_back(prefix + "workload_kind", party.workload_kind);
  labels.emplace_back(prefix + "workload_name", WorkloadOf(party));
  labels.emplace_back(prefix + "service", "");
  labels.emplace_back(prefix + "pod", "");
  labels.emplace_back(prefix + "container", "");
  labels.emplace_back(prefix + "container_id", "");
  labels.emplace_back(prefix + "ip", party.address);
}

}  // namespace

base::MetricLabels EntityLabels(const model::EdgeStats& row) {
  base::MetricLabels labels;
  AddEnd("", row.server, labels);
  labels.emplace_back("port", PortOf(row.server));
  labels.emplace_back("protocol", std::string(model::Name(row.protocol)));
  labels.emplace_back("request_content", row.endpoint);
  labels.emplace_back("response_content", row.status_code);
  return labels;
}

base::MetricLabels TopologyLabels(const model::EdgeStats& row) {
  base::MetricLabels labels;
  AddEnd("src_", row.client, labels);
  AddEnd("dst_", row.server, labels);
  labels.emplace_back("dst_port", PortOf(row.server));
  labels.emplace_back("protocol", std::string(model::Name(row.protocol)));
  labels.emplace_back("status_code", row.status_code);
  return labels;
}

base::MetricLabels ConnectLabels(const model::EdgeStats& row, int error) {
  base::MetricLabels labels;
  AddEnd("src_", row.client, labels);
  labels.emplace_back("src_port", "");
  AddEnd("dst_", row.server, labels);
  labels.emplace_back("dst_port", PortOf(row.server));
  labels.emplace_back("dnat_ip", "");
  labels.emplace_back("dnat_port", "");
  labels.emplace_back("errno", std::to_string(error));
  labels.emplace_back("success", error == 0 ? "true" : "false");
  return labels;
}

base::MetricLabels TcpLabels(const model::EdgeEnds& ends) {
  const bool is_client = ends.observer == model::Side::kClient;
  const model::Party& from = is_client ? ends.client : ends.server;
  const model::Party& to = is_client ? ends.server : ends.client;
  base::MetricLabels labels;
  AddEnd("src_", from, labels);
  labels.emplace_back("src_port", PortOf(from));
  AddEnd("dst_", to, labels);
  labels.emplace_back("dst_port", PortOf(to));
  return labels;
}

base::MetricLabels DnsLabels(const model::EdgeEnds& ends) {
  base::MetricLabels labels;
  AddEnd("src_", ends.client, labels);
  AddEnd("dst_", ends.server, labels);
  labels.emplace_back("dst_port", PortOf(ends.server));
  labels.emplace_back("observer", std::string(model::Name(ends.observer)));
  return labels;
}

base::MetricLabels NatLabels(const model::Labels& labels) {
  const model::EdgeEnds ends = model::EndsOf(labels);
  base::MetricLabels renamed;
  AddEnd("src_", ends.client, renamed);
  AddEnd("dst_", ends.server, renamed);
  renamed.emplace_back("dst_port", PortOf(ends.server));
  for (const char* name : {model::nat::kKind, model::nat::kAsked, model::nat::kSeenAs}) {
    renamed.emplace_back(name, model::LabelOf(labels, name));
  }
  return renamed;
}

base::MetricLabels DropLabels(const model::Labels& labels) {
  namespace drops = model::drops;
  const model::EdgeEnds ends = model::EndsOf(labels);
  base::MetricLabels out = {{"node", std::string(model::LabelOf(labels, drops::kHost))},
                            {"src_workload_name", WorkloadOf(ends.client)},
                            {"src_ip", ends.client.address},
                            {"dst_workload_name", WorkloadOf(ends.server)},
                            {"dst_ip", ends.server.address},
                            {"dst_port", PortOf(ends.server)}};
  for (const char* name :
       {model::kTransportLabel, drops::kDirection, drops::kPlace, drops::kReason}) {
    out.emplace_back(name, std::string(model::LabelOf(labels, name)));
  }
  return out;
}

base::MetricLabels UdpReceiveLabels(const model::Labels& labels) {
  const model::EdgeEnds ends = model::EndsOf(labels);
  const bool is_client = ends.observer == model::Side::kClient;
  const model::Party& party = is_client ? ends.client : ends.server;
  return {{"node", std::string(model::LabelOf(labels, model::drops::kHost))},
          {"workload_kind", party.workload_kind},
          {"workload_name", WorkloadOf(party)},
          {"ip", party.address},
          {"port", PortOf(party)}};
}

base::MetricLabels NetworkLabels(const model::Labels& labels) {
  base::MetricLabels renamed;
  for (const auto& [name, value] : labels) {
    renamed.emplace_back(name == model::host::kHost ? "node" : name, value);
  }
  return renamed;
}

base::MetricLabels ServerLabels(const model::EdgeStats& row) {
  return {{"node", row.server.host},
          {"workload_kind", row.server.workload_kind},
          {"workload_name", WorkloadOf(row.server)},
          {"protocol", std::string(model::Name(row.protocol))},
          {"transport", std::string(model::Name(row.transport))}};
}

base::MetricLabels ClientLabels(const model::EdgeStats& row) {
  return {{"src_node", row.client.host},
          {"src_workload_kind", row.client.workload_kind},
          {"src_workload_name", WorkloadOf(row.client)},
          {"dst_workload_name", WorkloadOf(row.server)},
          {"dst_ip", row.server.address},
          {"dst_port", PortOf(row.server)},
          {"protocol", std::string(model::Name(row.protocol))},
          {"transport", std::string(model::Name(row.transport))}};
}

int ErrorNumber(const std::string& name) {
  int number = 0;
  if (absl::SimpleAtoi(name, &number)) return number;
  for (int error = 1; error <= kMaxErrno; ++error) {
    const char* known = strerrorname_np(error);
    if (known != nullptr && name == known) return error;
  }
  return 0;
}

}  // namespace kindling::agent
