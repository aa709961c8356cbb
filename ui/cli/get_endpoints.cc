#include <utility>

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

using Request = v1::ListEndpointsRequest;

Request::Order OrderOf(const std::string& by) {
  if (by == "errors") return Request::ORDER_ERRORS;
  if (by == "p99") return Request::ORDER_P99;
  if (by == "time") return Request::ORDER_TOTAL_TIME;
  return Request::ORDER_REQUESTS;
}

Table EndpointTable(const v1::ListEndpointsResponse& response) {
  Table table({{.name = "SERVICE", .flexible = 10},
               {.name = "PROTOCOL"},
               {.name = "ENDPOINT", .flexible = 12},
               {.name = "REQUESTS", .right = true},
               {.name = "ERRORS", .right = true},
               {.name = "P50", .right = true},
               {.name = "P95", .right = true},
               {.name = "P99", .right = true},
               {.name = "TOTAL", .right = true}});
  for (const v1::Endpoint& row : response.endpoints()) {
    table.AddRow(
        {{row.service()},
         {row.protocol()},
         {row.endpoint()},
         {FormatCount(row.request_count())},
         {FormatCount(row.error_count()), row.error_count() > 0 ? Tone::kBad : Tone::kPlain},
         {FormatMs(row.p50_ms())},
         {FormatMs(row.p95_ms())},
         {FormatMs(row.p99_ms())},
         {FormatMs(row.total_ms())}});
  }
  return table;
}

absl::StatusOr<ExitCode> Run(Session& session) {
  Request request;
  *request.mutable_time() = session.time_range();
  request.set_filter(session.globals().filter);
  request.set_order(OrderOf(session.args().value("by").value_or("requests")));
  request.set_limit(static_cast<uint32_t>(session.globals().limit));
  v1::ListEndpointsResponse response;
  RETURN_IF_ERROR(session.Ask(request, &response));
  ASSIGN_OR_RETURN(const bool is_printed, session.PrintMessage(response));
  if (is_printed) {
    return IsPartial(response.completeness()) ? ExitCode::kPartial : ExitCode::kOk;
  }
  if (response.endpoints().empty()) {
    session.out() << NothingFound(session, "endpoints");
  } else {
    session.out() << EndpointTable(response).Render(session.style(), session.width());
  }
  session.out() << LimitNote(response.endpoints_size(), static_cast<size_t>(response.total()),
                             "endpoints");
  return session.PrintCompleteness(response.completeness());
}

}  // namespace

Command GetEndpointsCommand() {
  return {
      .name = "get endpoints",
      .summary = "the endpoints with the most requests, errors or time",
      .details =
          "By the server's own numbers where it was watched, else by its clients'. TOTAL is the "
          "time that all requests took together.",
      .options = {{.name = "by",
                   .value = "ORDER",
                   .help = "what comes first: requests (default), errors, p99 or time",
                   .choices = {"requests", "errors", "p99", "time"}}},
      .formats = {"table", "json", "yaml"},
      .takes_time = true,
      .takes_filter = true,
      .takes_limit = true,
      .examples = {{"kindlingctl get endpoints --by time --limit 5", "where most of the time goes"},
                   {"kindlingctl get endpoints --by errors -f 'server=shop:8080'",
                    "what fails at one service"}},
      .run = Run};
}

}  // namespace kindling::ui
