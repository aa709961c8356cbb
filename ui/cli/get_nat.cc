#include <string>
#include <utility>
#include <vector>

#include "base/status_macros.h"
#include "kindling/v1/query.pb.h"
#include "ui/cli/commands.h"
#include "ui/cli/completeness.h"
#include "ui/cli/format.h"
#include "ui/cli/rows.h"
#include "ui/cli/session.h"
#include "ui/cli/table.h"

namespace kindling::ui {
namespace {

std::string OrDash(const std::string& text) { return text.empty() ? "-" : text; }

std::vector<Cell> Row(const v1::NatEdge& edge, bool is_wide) {
  std::vector<Cell> row = {{edge.client()},
                           {edge.server()},
                           {edge.observer() == "unknown" ? "(on the way)" : edge.observer()},
                           {edge.kind()},
                           {OrDash(edge.asked_address())},
                           {OrDash(edge.server_address())},
                           {OrDash(edge.seen_as_address())},
                           {FormatCount(edge.connections())}};
  if (is_wide) {
    row.emplace_back(OrDash(edge.client_address()));
    row.emplace_back(OrDash(edge.transport()));
  }
  return row;
}

absl::StatusOr<ExitCode> Run(Session& session) {
  v1::ListNatRequest request;
  *request.mutable_time() = session.time_range();
  request.set_filter(session.globals().filter);
  v1::ListNatResponse response;
  RETURN_IF_ERROR(session.Ask(request, &response));
  const size_t total = LimitRows(session, response.mutable_edges());
  ASSIGN_OR_RETURN(const bool is_printed, session.PrintMessage(response));
  if (is_printed) {
    return IsPartial(response.completeness()) ? ExitCode::kPartial : ExitCode::kOk;
  }
  if (response.edges().empty()) {
    session.out() << NothingFound(session, "connections through NAT");
  } else {
    std::vector<Column> columns = {{.name = "CLIENT", .flexible = 10},
                                   {.name = "SERVER", .flexible = 10},
                                   {.name = "SEEN BY"},
                                   {.name = "KIND"},
                                   {.name = "ASKED ADDRESS"},
                                   {.name = "TRUE ADDRESS"},
                                   {.name = "CLIENT SEEN AS"},
                                   {.name = "CONNS", .right = true}};
    if (session.is_wide()) {
      columns.push_back({.name = "CLIENT ADDRESS"});
      columns.push_back({.name = "TRANSPORT"});
    }
    Table table(std::move(columns));
    for (const v1::NatEdge& edge : response.edges()) table.AddRow(Row(edge, session.is_wide()));
    session.out() << table.Render(session.style(), session.width());
  }
  session.out() << LimitNote(response.edges_size(), total, "rows");
  return session.PrintCompleteness(response.completeness());
}

}  // namespace

Command GetNatCommand() {
  return {
      .name = "get nat",
      .summary = "connections whose addresses NAT changes, with both addresses",
      .details =
          "Connections through a Kubernetes Service, a published port, a masquerading router. "
          "CLIENT and SERVER are the true ends, as every other command has them. ASKED ADDRESS is "
          "what the client connects to, TRUE ADDRESS who answers (dnat); CLIENT SEEN AS the "
          "address that the server takes for the client's (snat). SEEN BY is the end whose socket "
          "it was, or (on the way) where the host only forwards it. -o wide adds the client's own "
          "address.",
      .formats = {"table", "wide", "json", "yaml"},
      .takes_time = true,
      .takes_filter = true,
      .takes_limit = true,
      .examples = {{"kindlingctl get nat", "all of the last 15 minutes"},
                   {"kindlingctl get nat -f server=shop:8080",
                    "through which addresses one server "
                    "is reached"},
                   {"kindlingctl get nat --since 1h -f client=curl -o wide", "of one client"}},
      .run = Run};
}

}  // namespace kindling::ui
