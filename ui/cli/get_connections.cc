#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_format.h"
#include "base/status_macros.h"
#include "base/units.h"
#include "kindling/v1/connections.pb.h"
#include "ui/cli/commands.h"
#include "ui/cli/completeness.h"
#include "ui/cli/format.h"
#include "ui/cli/rows.h"
#include "ui/cli/session.h"
#include "ui/cli/table.h"

namespace kindling::ui {
namespace {

// "2m"; "-" where it is not known.
std::string Since(int64_t then_ns, int64_t now_ns) {
  if (then_ns == 0) return "-";
  const int64_t seconds = (now_ns - then_ns) / 1'000'000'000;
  return seconds <= 0 ? "now" : base::FormatDurationNs(static_cast<double>(seconds) * 1e9);
}

std::vector<Column> Columns(bool is_wide) {
  std::vector<Column> columns = {{.name = "CLIENT", .flexible = 10},
                                 {.name = "SERVER", .flexible = 10},
                                 {.name = "SIDE"},
                                 {.name = "PID", .right = true},
                                 {.name = "LOCAL"},
                                 {.name = "REMOTE"},
                                 {.name = "PROTOCOL"}};
  const auto add = [&](std::initializer_list<const char*> names) {
    for (const char* name : names) columns.push_back({.name = name, .right = true});
  };
  add({"AGE", "IDLE", "REQUESTS", "RTT", "RETRANS", "BYTES"});
  if (!is_wide) return columns;
  columns.push_back({.name = "HOST"});
  columns.push_back({.name = "TRANSPORT"});
  add({"MIN RTT", "LOST", "REORDERED", "BUSY", "RECEIVER", "SENDER"});
  columns.push_back({.name = "CONGESTION"});
  return columns;
}

std::string Seconds(double seconds) {
  return seconds == 0 ? "-" : base::FormatDurationNs(seconds * 1e9);
}

void AddTcp(const v1::Connection& connection, std::vector<Cell>& row) {
  if (!connection.has_tcp()) {
    row.insert(row.end(), 3, Cell{"-"});
    return;
  }
  const v1::TcpState& tcp = connection.tcp();
  row.emplace_back(tcp.rtt_ms() == 0 ? "-" : FormatMs(tcp.rtt_ms()));
  row.emplace_back(tcp.retransmits() == 0 ? "-" : FormatCount(tcp.retransmits()),
                   BadIf(tcp.retransmits() > 0));
  row.emplace_back(base::FormatBytes(tcp.bytes_sent()) + "/" +
                   base::FormatBytes(tcp.bytes_received()));
}

std::vector<Cell> Row(const v1::Connection& connection, int64_t now_ns, bool is_wide) {
  std::vector<Cell> row = {
      {connection.client()},
      {connection.server()},
      {connection.side()},
      {connection.pid() == 0 ? "-" : absl::StrFormat("%d", connection.pid())},
      {connection.local_address()},
      {connection.remote_address()},
      {connection.protocol() == "unknown" ? connection.transport() : connection.protocol()},
      {Since(connection.opened_ns(), now_ns)},
      {Since(connection.last_used_ns(), now_ns)},
      {FormatCount(connection.requests())}};
  AddTcp(connection, row);
  if (!is_wide) return row;
  row.emplace_back(connection.host());
  row.emplace_back(connection.transport());
  const v1::TcpState& tcp = connection.tcp();
  row.emplace_back(tcp.min_rtt_ms() == 0 ? "-" : FormatMs(tcp.min_rtt_ms()));
  row.emplace_back(FormatCount(tcp.lost_segments()), BadIf(tcp.lost_segments() > 0));
  row.emplace_back(FormatCount(tcp.out_of_order_segments()));
  row.emplace_back(Seconds(tcp.busy_seconds()));
  row.emplace_back(Seconds(tcp.receiver_limited_seconds()), BadIf(tcp.zero_window()));
  row.emplace_back(Seconds(tcp.sender_limited_seconds()));
  row.emplace_back(tcp.congestion().empty() ? "-" : tcp.congestion(),
                   BadIf(!tcp.congestion().empty() && tcp.congestion() != "open"));
  return row;
}

absl::StatusOr<ExitCode> Run(Session& session) {
  v1::ListConnectionsRequest request;
  request.set_filter(session.globals().filter);
  v1::ListConnectionsResponse response;
  RETURN_IF_ERROR(session.Ask(request, &response));
  const size_t total = LimitRows(session, response.mutable_connections());
  ASSIGN_OR_RETURN(const bool is_printed, session.PrintMessage(response));
  if (is_printed) {
    return IsPartial(response.completeness()) ? ExitCode::kPartial : ExitCode::kOk;
  }
  if (response.connections().empty()) {
    session.out() << "no open connections in the agents' scopes match\n";
  } else {
    Table table(Columns(session.is_wide()));
    for (const v1::Connection& connection : response.connections()) {
      table.AddRow(Row(connection, session.now_ns(), session.is_wide()));
    }
    session.out() << table.Render(session.style(), session.width());
  }
  session.out() << LimitNote(response.connections_size(), total, "connections");
  return session.PrintCompleteness(response.completeness());
}

}  // namespace

Command GetConnectionsCommand() {
  return {.name = "get connections",
          .summary = "the connections that are open now, with TCP's state of each",
          .details =
              "Asks the agents: nothing of it is stored. Each end that is watched has a row, which "
              "is named in SIDE. AGE is since it was opened, \"-\" before the agent began; IDLE "
              "since it last carried anything. RTT, RETRANS and BYTES (sent/received by this end) "
              "are TCP's own, since the connection began. -o wide adds the node, what sending "
              "waited for of the time it was BUSY (the RECEIVER's window, the SENDER's own "
              "buffer), and the congestion state.",
          .formats = {"table", "wide", "json", "yaml"},
          .takes_filter = true,
          .takes_limit = true,
          .examples = {{"kindlingctl get connections", "all of them"},
                       {"kindlingctl get connections -f 'server=db:3306 side=client'",
                        "who has connections to one server"},
                       {"kindlingctl get connections -o wide -f host=node-a",
                        "of one node, with what they wait for"}},
          .run = Run};
}

}  // namespace kindling::ui
