#include <string>
#include <vector>

#include "absl/strings/str_format.h"
#include "base/status_macros.h"
#include "base/units.h"
#include "kindling/v1/query.pb.h"
#include "ui/cli/commands.h"
#include "ui/cli/completeness.h"
#include "ui/cli/counts.h"
#include "ui/cli/format.h"
#include "ui/cli/rows.h"
#include "ui/cli/session.h"
#include "ui/cli/table.h"

namespace kindling::ui {
namespace {

// Of the busy time; less is not worth a word.
constexpr double kNotableShare = 0.05;

// What sending waited for besides the network: "receiver 80%".
std::string LimitedBy(const v1::TcpEdge& edge) {
  std::string text;
  const auto add = [&](const char* what, double seconds) {
    if (edge.busy_seconds() <= 0 || seconds < kNotableShare * edge.busy_seconds()) return;
    if (!text.empty()) text += ", ";
    text += absl::StrFormat("%s %.0f%%", what, 100 * seconds / edge.busy_seconds());
  };
  add("receiver", edge.receiver_limited_seconds());
  add("sender", edge.sender_limited_seconds());
  return text.empty() ? "-" : text;
}

// "9 2.5%": segments, and their part of those with data.
std::string Retransmits(double count, double percent) {
  return count == 0 ? "-" : FormatCount(count) + " " + FormatPercent(percent / 100);
}

std::string Queue(const v1::TcpEdge& edge) {
  if (edge.accept_queue_max() == 0) return "-";
  return absl::StrFormat("%.0f/%.0f", edge.accept_queue(), edge.accept_queue_max());
}

std::vector<Column> Columns(bool is_wide) {
  std::vector<Column> columns = {{.name = "CLIENT", .flexible = 10},
                                 {.name = "SERVER", .flexible = 10},
                                 {.name = "SEEN BY"},
                                 {.name = "CONNS", .right = true},
                                 {.name = "FAILED", .flexible = 18}};
  const auto add = [&](std::initializer_list<const char*> names) {
    for (const char* name : names) columns.push_back({.name = name, .right = true});
  };
  add({"CONNECT", "RTT", "RETRANS", "RESETS", "DROPS", "BYTES"});
  columns.push_back({.name = "LIMITED BY"});
  if (!is_wide) return columns;
  add({"MIN RTT", "LOST", "REORDERED", "ZERO WINDOWS", "QUEUE"});
  for (const char* name : {"RETRANSMITS", "RESETS", "ENDS", "CONGESTION", "ADDRESS"}) {
    columns.push_back({.name = name});
  }
  return columns;
}

std::vector<Cell> Row(const v1::TcpEdge& edge, bool is_wide) {
  const bool is_client = edge.observer() == "client";
  const double retransmits = SumOf(edge.retransmits());
  const double resets = SumOf(edge.resets_sent());
  std::vector<Cell> row = {
      {edge.client().empty() ? "(listener)" : edge.client()},
      {edge.server()},
      {edge.observer()},
      {edge.client().empty() ? "-" : FormatCount(is_client ? edge.connects() : edge.accepts())},
      {is_client ? ByName(edge.connect_failures()) : "-", BadIf(!edge.connect_failures().empty())},
      {Both(edge.connect_p50_ms(), edge.connect_p99_ms(), FormatMs)},
      {Both(edge.rtt_p50_ms(), edge.rtt_p99_ms(), FormatMs)},
      {Retransmits(retransmits, edge.retransmit_percent()), BadIf(retransmits > 0)},
      {Both(resets, edge.resets_received(), FormatCount),
       BadIf(resets > 0 || edge.resets_received() > 0)},
      {edge.client().empty() ? FormatCount(edge.listen_drops()) : "-",
       BadIf(edge.listen_drops() > 0)},
      {Both(edge.bytes_sent(), edge.bytes_received(), base::FormatBytes)},
      {LimitedBy(edge)}};
  if (!is_wide) return row;
  row.emplace_back(FormatMs(edge.min_rtt_ms()));
  row.emplace_back(CountOrDash(edge.lost_segments()));
  row.emplace_back(CountOrDash(edge.out_of_order_segments()));
  row.emplace_back(CountOrDash(edge.zero_windows()));
  row.emplace_back(Queue(edge));
  row.emplace_back(ByName(edge.retransmits()));
  row.emplace_back(ByName(edge.resets_sent()));
  row.emplace_back(ByName(edge.ends()));
  row.emplace_back(ByName(edge.congestion()));
  row.emplace_back(edge.server_address());
  return row;
}

absl::StatusOr<ExitCode> Run(Session& session) {
  v1::ListTcpRequest request;
  *request.mutable_time() = session.time_range();
  request.set_filter(session.globals().filter);
  v1::ListTcpResponse response;
  RETURN_IF_ERROR(session.Ask(request, &response));
  const size_t total = LimitRows(session, response.mutable_edges());
  ASSIGN_OR_RETURN(const bool is_printed, session.PrintMessage(response));
  if (is_printed) {
    return IsPartial(response.completeness()) ? ExitCode::kPartial : ExitCode::kOk;
  }
  if (response.edges().empty()) {
    session.out() << NothingFound(session, "TCP connections");
  } else {
    Table table(Columns(session.is_wide()));
    for (const v1::TcpEdge& edge : response.edges()) table.AddRow(Row(edge, session.is_wide()));
    session.out() << table.Render(session.style(), session.width());
  }
  session.out() << LimitNote(response.edges_size(), total, "rows");
  return session.PrintCompleteness(response.completeness());
}

}  // namespace

Command GetTcpCommand() {
  return {
      .name = "get tcp",
      .summary = "connects, round trips, retransmits and resets between workloads",
      .details =
          "What the kernel's TCP counted at the end in SEEN BY: each end sends, and repeats, on "
          "its own. CONNS are connections that opened (at a server: were accepted), FAILED "
          "connects that did not, by cause. CONNECT and RTT are median and 99th percentile. "
          "RETRANS are segments sent again, and their part of those with data; RESETS and BYTES "
          "sent and received, bytes as the client has it. LIMITED BY is what sending waited for "
          "besides the network: the receiver's window, or the sender's own buffer. A listener "
          "has a row of its own, with what it threw away in DROPS. -o wide adds causes, ends of "
          "connections and the listener's queue.",
      .formats = {"table", "wide", "json", "yaml"},
      .takes_time = true,
      .takes_filter = true,
      .takes_limit = true,
      .examples = {{"kindlingctl get tcp", "every edge of the last 15 minutes"},
                   {"kindlingctl get tcp -f 'server=db:3306 side=client'",
                    "how its clients reach one server"},
                   {"kindlingctl get tcp --since 1h -o wide -f service=shop:8080",
                    "with the causes of retransmits, resets and ends"}},
      .run = Run};
}

}  // namespace kindling::ui
