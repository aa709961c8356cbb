#include <utility>

#include "base/status_macros.h"
#include "base/units.h"
#include "kindling/v1/query.pb.h"
#include "ui/cli/commands.h"
#include "ui/cli/completeness.h"
#include "ui/cli/format.h"
#include "ui/cli/rows.h"
#include "ui/cli/session.h"
#include "ui/cli/table.h"
#include "ui/cli/text.h"

namespace kindling::ui {
namespace {

std::vector<Column> EdgeColumns(bool by_endpoint, bool is_wide) {
  std::vector<Column> columns = {
      {.name = "CLIENT", .flexible = 10}, {.name = "SERVER", .flexible = 10}, {.name = "PROTOCOL"}};
  if (by_endpoint) {
    columns.push_back({.name = "ENDPOINT", .flexible = 12});
    columns.push_back({.name = "CODE"});
  }
  for (const char* name : {"REQUESTS", "ERRORS", "P50", "P95", "P99"}) {
    columns.push_back({.name = name, .right = true});
  }
  if (!is_wide) return columns;
  for (const char* name : {"SLOW", "LOST", "SENT", "RECEIVED", "CONNS", "FAILED"}) {
    columns.push_back({.name = name, .right = true});
  }
  columns.push_back({.name = "SEEN BY"});
  columns.push_back({.name = "CLIENT P95", .right = true});
  columns.push_back({.name = "ADDRESS"});
  return columns;
}

std::vector<Cell> EdgeRow(const v1::Edge& edge, bool by_endpoint, bool is_wide) {
  std::vector<Cell> row = {
      {edge.client()}, {edge.server()}, {FormatProtocol(edge.protocol(), edge.transport())}};
  if (by_endpoint) {
    row.emplace_back(edge.endpoint());
    row.emplace_back(edge.status_code());
  }
  // Requests of a protocol that is not parsed are not known, rather than none.
  const bool is_parsed = edge.request_count() > 0 || edge.protocol() != "unknown";
  row.emplace_back(is_parsed ? FormatCount(edge.request_count()) : "-");
  row.emplace_back(is_parsed ? FormatCount(edge.error_count()) : "-",
                   BadIf(edge.error_count() > 0));
  row.emplace_back(FormatMs(edge.p50_ms()));
  row.emplace_back(FormatMs(edge.p95_ms()));
  row.emplace_back(FormatMs(edge.p99_ms()));
  if (!is_wide) return row;
  row.emplace_back(FormatCount(edge.slow_count()));
  row.emplace_back(FormatCount(edge.lost()), BadIf(edge.lost() > 0));
  row.emplace_back(base::FormatBytes(edge.bytes_sent()));
  row.emplace_back(base::FormatBytes(edge.bytes_received()));
  row.emplace_back(FormatCount(edge.connections()));
  row.emplace_back(FormatCount(edge.connect_failures()), BadIf(edge.connect_failures() > 0));
  row.emplace_back(edge.observer());
  row.emplace_back(edge.has_client_view() ? FormatMs(edge.client_view().p95_ms()) : "-");
  row.emplace_back(edge.server_address());
  return row;
}

absl::StatusOr<ExitCode> Run(Session& session) {
  const bool by_endpoint = session.args().has("by-endpoint");
  v1::ListEdgesRequest request;
  *request.mutable_time() = session.time_range();
  request.set_filter(session.globals().filter);
  request.set_by_endpoint(by_endpoint);
  v1::ListEdgesResponse response;
  RETURN_IF_ERROR(session.Ask(request, &response));
  const size_t total = LimitRows(session, response.mutable_edges());
  ASSIGN_OR_RETURN(const bool is_printed, session.PrintMessage(response));
  if (is_printed) {
    return IsPartial(response.completeness()) ? ExitCode::kPartial : ExitCode::kOk;
  }
  if (response.edges().empty()) {
    session.out() << NothingFound(session, "edges");
  } else {
    Table table(EdgeColumns(by_endpoint, session.is_wide()));
    for (const v1::Edge& edge : response.edges()) {
      table.AddRow(EdgeRow(edge, by_endpoint, session.is_wide()));
    }
    session.out() << table.Render(session.style(), session.width());
  }
  session.out() << LimitNote(response.edges_size(), total, "edges");
  for (const v1::Edge& edge : response.edges()) {
    for (const std::string& note : edge.notes()) {
      session.out() << session.style().Paint(
                           Tone::kWarning, CleanText(edge.client() + " to " + edge.server() + ", " +
                                                     edge.protocol() + ": " + note))
                    << "\n";
    }
  }
  return session.PrintCompleteness(response.completeness());
}

}  // namespace

Command GetEdgesCommand() {
  return {.name = "get edges",
          .summary = "who called whom, how often, how fast, how well",
          .details =
              "The numbers are the server's view where it was watched and saw as much, else the "
              "client's; the two are never added. A client that is an address was not watched. "
              "-o wide adds bytes, connections, both views and what was lost. A "
              "protocol is followed by its transport where that is not the usual one.",
          .options = {{.name = "by-endpoint", .help = "one row per endpoint and status"}},
          .formats = {"table", "wide", "json", "yaml"},
          .takes_time = true,
          .takes_filter = true,
          .takes_limit = true,
          .examples = {{"kindlingctl get edges", "every edge of the last 15 minutes"},
                       {"kindlingctl get edges --since 5m -f 'protocol=mysql latency>100ms'",
                        "MySQL edges with a request over 100 ms"},
                       {"kindlingctl get edges --by-endpoint -f 'service=shop:8080 status=error'",
                        "which operations failed"},
                       {"kindlingctl get edges -o json", "for a program"}},
          .run = Run};
}

}  // namespace kindling::ui
