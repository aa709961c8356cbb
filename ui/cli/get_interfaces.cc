#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_format.h"
#include "base/status_macros.h"
#include "base/units.h"
#include "kindling/v1/query.pb.h"
#include "model/host_metrics.h"
#include "ui/cli/commands.h"
#include "ui/cli/completeness.h"
#include "ui/cli/format.h"
#include "ui/cli/rows.h"
#include "ui/cli/session.h"
#include "ui/cli/table.h"

namespace kindling::ui {
namespace {

using Counts = google::protobuf::Map<std::string, double>;

// Of a limit, from where it is worth a look.
constexpr double kNearlyFull = 0.9;

// "3/12"; "-" for nothing at all.
std::string Both(double first, double second) {
  if (first == 0 && second == 0) return "-";
  return FormatCount(first) + "/" + FormatCount(second);
}

std::string OrDash(double count) { return count == 0 ? "-" : FormatCount(count); }

std::string Rate(double bytes, double seconds) {
  return seconds <= 0 ? "-" : base::FormatBytes(bytes / seconds) + "/s";
}

// "7 drop, 3 early_drop", the greatest first; "-" for none.
std::string ByName(const Counts& counts) {
  std::vector<std::pair<double, std::string>> sorted;
  for (const auto& [name, count] : counts) {
    if (count > 0) sorted.emplace_back(-count, name);
  }
  std::ranges::sort(sorted);
  std::string text;
  for (const auto& [count, name] : sorted) {
    if (!text.empty()) text += ", ";
    text += FormatCount(-count) + " " + name;
  }
  return text.empty() ? "-" : text;
}

double ValueOf(const Counts& counts, const char* name) {
  const auto found = counts.find(name);
  return found == counts.end() ? 0 : found->second;
}

// "12/100", bad where it is nearly all; "-" where there is no limit and nothing.
Cell Fill(double used, double limit, std::string (*format)(double)) {
  if (used == 0 && limit == 0) return {"-"};
  if (limit == 0) return {format(used)};
  return {format(used) + "/" + format(limit), BadIf(used >= kNearlyFull * limit)};
}

// What the device's own discipline counted has that of those below it.
struct Queue {
  double drops = 0;
  double bytes = 0;
  double packets = 0;
};
Queue QueueOf(const v1::Interface& device) {
  Queue queue;
  for (const v1::Qdisc& qdisc : device.qdiscs()) {
    if (!qdisc.name().ends_with(model::host::kRootQdisc)) continue;
    queue.drops += qdisc.drops();
    queue.bytes += qdisc.backlog_bytes();
    queue.packets += qdisc.backlog_packets();
  }
  return queue;
}

std::string Qdiscs(const v1::Interface& device) {
  std::string text;
  for (const v1::Qdisc& qdisc : device.qdiscs()) {
    if (!text.empty()) text += "; ";
    text += qdisc.name();
    const auto add = [&](double count, const char* what) {
      if (count > 0) text += absl::StrFormat(", %s %s", FormatCount(count), what);
    };
    add(qdisc.drops(), "dropped");
    add(qdisc.overlimits(), "overlimits");
    add(qdisc.requeues(), "requeues");
  }
  return text.empty() ? "-" : text;
}

Table InterfaceTable(const v1::ListInterfacesResponse& response, bool is_wide) {
  std::vector<Column> columns = {{.name = "HOST", .flexible = 10},
                                 {.name = "NETNS", .flexible = 10},
                                 {.name = "DEVICE", .flexible = 8},
                                 {.name = "STATE"}};
  for (const char* name : {"RX", "TX", "ERRORS", "DROPS", "QUEUE DROPS", "QUEUED"}) {
    columns.push_back({.name = name, .right = true});
  }
  if (is_wide) {
    columns.push_back({.name = "PACKETS", .right = true});
    columns.push_back({.name = "QDISCS"});
  }
  Table table(std::move(columns));
  for (const v1::Interface& device : response.interfaces()) {
    const double errors = device.receive_errors() + device.send_errors();
    const double drops = device.receive_drops() + device.send_drops();
    const Queue queue = QueueOf(device);
    std::vector<Cell> row = {
        {device.host()},
        {device.netns()},
        {device.device()},
        {device.up() ? "up" : "down"},
        {Rate(device.received_bytes(), device.seconds())},
        {Rate(device.sent_bytes(), device.seconds())},
        {Both(device.receive_errors(), device.send_errors()), BadIf(errors > 0)},
        {Both(device.receive_drops(), device.send_drops()), BadIf(drops > 0)},
        {OrDash(queue.drops), BadIf(queue.drops > 0)},
        {queue.packets == 0 ? "-" : base::FormatBytes(queue.bytes)}};
    if (is_wide) {
      row.emplace_back(Both(device.received_packets(), device.sent_packets()));
      row.emplace_back(Qdiscs(device));
    }
    table.AddRow(std::move(row));
  }
  return table;
}

// Namespaces, and a row for what all of a host's have in common.
Table HealthTable(const v1::ListInterfacesResponse& response, bool is_wide) {
  std::vector<Column> columns = {{.name = "HOST", .flexible = 10},
                                 {.name = "NETNS", .flexible = 10}};
  for (const char* name :
       {"CONNTRACK", "PORTS", "SOCKETS", "TCP MEMORY", "SQUEEZED", "CPU DROPS"}) {
    columns.push_back({.name = name, .right = true});
  }
  columns.push_back({.name = "DROPPED", .flexible = 20});
  if (is_wide) {
    columns.push_back({.name = "PORTS OF"});
    columns.push_back({.name = "UDP MEMORY", .right = true});
    columns.push_back({.name = "UNREAD"});
  }
  Table table(std::move(columns));
  for (const v1::HostNetwork& host : response.hosts()) {
    std::vector<Cell> row = {
        {host.host()},
        {"(host)"},
        {"-"},
        {"-"},
        {"-"},
        Fill(host.tcp_memory_bytes(), host.tcp_memory_max_bytes(), base::FormatBytes),
        {OrDash(host.softirq_squeezes()), BadIf(host.softirq_squeezes() > 0)},
        {OrDash(host.softirq_drops()), BadIf(host.softirq_drops() > 0)},
        {"-"}};
    if (is_wide) {
      row.emplace_back("-");
      row.push_back(Fill(host.udp_memory_bytes(), host.udp_memory_max_bytes(), base::FormatBytes));
      row.emplace_back(ByName(host.unread()));
    }
    table.AddRow(std::move(row));
  }
  for (const v1::NetworkNamespace& netns : response.namespaces()) {
    Counts dropped = netns.protocol_drops();
    for (const auto& [reason, count] : netns.conntrack_drops()) {
      dropped["conntrack." + reason] = count;
    }
    const std::string text = ByName(dropped);
    std::vector<Cell> row = {
        {netns.host()},
        {netns.netns()},
        Fill(netns.conntrack_entries(), netns.conntrack_max(), FormatCount),
        Fill(netns.local_ports_used(), netns.local_ports(), FormatCount),
        {OrDash(ValueOf(netns.sockets(), "tcp") + ValueOf(netns.sockets(), "udp"))},
        {netns.tcp_memory_pressures() == 0 ? "-" : "pressure",
         BadIf(netns.tcp_memory_pressures() > 0)},
        {"-"},
        {"-"},
        {text, BadIf(text != "-")}};
    if (is_wide) {
      row.emplace_back(netns.local_ports_address().empty() ? "-" : netns.local_ports_address());
      row.emplace_back("-");
      row.emplace_back("-");
    }
    table.AddRow(std::move(row));
  }
  return table;
}

absl::StatusOr<ExitCode> Run(Session& session) {
  v1::ListInterfacesRequest request;
  *request.mutable_time() = session.time_range();
  request.set_filter(session.globals().filter);
  v1::ListInterfacesResponse response;
  RETURN_IF_ERROR(session.Ask(request, &response));
  const size_t total = LimitRows(session, response.mutable_interfaces());
  ASSIGN_OR_RETURN(const bool is_printed, session.PrintMessage(response));
  if (is_printed) {
    return IsPartial(response.completeness()) ? ExitCode::kPartial : ExitCode::kOk;
  }
  const bool has_health = !response.namespaces().empty() || !response.hosts().empty();
  const auto print = [&](const Table& table) {
    session.out() << table.Render(session.style(), session.width());
  };
  if (!response.interfaces().empty()) print(InterfaceTable(response, session.is_wide()));
  session.out() << LimitNote(response.interfaces_size(), total, "interfaces");
  if (!response.interfaces().empty() && has_health) session.out() << "\n";
  if (has_health) print(HealthTable(response, session.is_wide()));
  if (response.interfaces().empty() && !has_health) {
    session.out() << NothingFound(session, "interfaces");
  }
  return session.PrintCompleteness(response.completeness());
}

}  // namespace

Command GetInterfacesCommand() {
  return {
      .name = "get interfaces",
      .summary = "errors, drops and queues of network devices; conntrack, ports and memory",
      .details =
          "Network devices of the namespaces that agents watch. RX and TX are bytes a second, "
          "ERRORS and DROPS packets of the device itself (received/sent), QUEUE DROPS what its "
          "queueing discipline threw away, QUEUED the most that was queued there when it was "
          "looked at. Then the namespaces, and in the rows (host) what they have in common: "
          "CONNTRACK entries of the table's limit, PORTS of ip_local_port_range that one local "
          "address has TCP connections on, memory of TCP's buffers of what tcp_mem allows, "
          "SQUEEZED how often softirqs ran out of time or budget with packets left, CPU DROPS "
          "packets that found a CPU's backlog full, DROPPED what IP, TCP, UDP and conntrack "
          "threw away, by the kernel's own counter. -o wide adds queueing disciplines and more.",
      .formats = {"table", "wide", "json", "yaml"},
      .takes_time = true,
      .takes_filter = true,
      .takes_limit = true,
      .examples = {{"kindlingctl get interfaces", "all of the last 15 minutes"},
                   {"kindlingctl get interfaces -f 'host=node-1 device=eth0' -o wide",
                    "one device, with its queueing disciplines"},
                   {"kindlingctl get metric 'net_conntrack_entries{host=\"node-1\"}' --since 6h",
                    "how a table filled up"}},
      .run = Run};
}

}  // namespace kindling::ui
