#include <utility>

#include "absl/strings/str_join.h"
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

Table ServiceTable(const v1::ListServicesResponse& response, bool is_wide) {
  std::vector<Column> columns = {
      {.name = "SERVICE", .flexible = 12}, {.name = "KIND"},
      {.name = "SERVES", .flexible = 6},   {.name = "REQUESTS", .right = true},
      {.name = "REQ/S", .right = true},    {.name = "ERRORS", .right = true},
      {.name = "P50", .right = true},      {.name = "P95", .right = true},
      {.name = "P99", .right = true}};
  if (is_wide) columns.push_back({.name = "HOSTS"});
  Table table(std::move(columns));
  for (const v1::Service& service : response.services()) {
    // What serves nothing is a client only.
    const bool is_server = service.protocols_size() > 0;
    std::vector<Cell> row = {{service.name()},
                             {service.kind()},
                             {is_server ? absl::StrJoin(service.protocols(), ",") : "-"},
                             {is_server ? FormatCount(service.request_count()) : "-"},
                             {is_server ? FormatRate(service.requests_per_second()) : "-"},
                             {is_server ? FormatCount(service.error_count()) : "-",
                              service.error_count() > 0 ? Tone::kBad : Tone::kPlain},
                             {FormatMs(service.p50_ms())},
                             {FormatMs(service.p95_ms())},
                             {FormatMs(service.p99_ms())}};
    if (is_wide) row.emplace_back(absl::StrJoin(service.hosts(), ","));
    table.AddRow(std::move(row));
  }
  return table;
}

absl::StatusOr<ExitCode> Run(Session& session) {
  v1::ListServicesRequest request;
  *request.mutable_time() = session.time_range();
  request.set_filter(session.globals().filter);
  v1::ListServicesResponse response;
  RETURN_IF_ERROR(session.Ask(request, &response));
  const size_t total = LimitRows(session, response.mutable_services());
  ASSIGN_OR_RETURN(const bool is_printed, session.PrintMessage(response));
  if (is_printed) {
    return IsPartial(response.completeness()) ? ExitCode::kPartial : ExitCode::kOk;
  }
  if (response.services().empty()) {
    session.out() << NothingFound(session, "services");
  } else {
    session.out()
        << ServiceTable(response, session.is_wide()).Render(session.style(), session.width());
  }
  session.out() << LimitNote(response.services_size(), total, "services");
  return session.PrintCompleteness(response.completeness());
}

}  // namespace

Command GetServicesCommand() {
  return {.name = "get services",
          .summary = "workloads and what they served",
          .details =
              "Counts and times are of the requests a workload served, by its own view where "
              "it was watched and saw as much, else by its clients'.",
          .formats = {"table", "wide", "json", "yaml"},
          .takes_time = true,
          .takes_filter = true,
          .takes_limit = true,
          .examples = {{"kindlingctl get services", "everything in the last 15 minutes"},
                       {"kindlingctl get services --since 1h -f 'status=error'",
                        "only what failed in the last hour"}},
          .run = Run};
}

}  // namespace kindling::ui
