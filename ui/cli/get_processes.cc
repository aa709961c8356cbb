#include <algorithm>
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

std::string CodeOf(const v1::ProcessEvent& event) {
  const bool is_killed = event.kind() == "crash" || event.kind() == "oom_kill";
  if (is_killed) return event.code() == 0 ? "" : FormatSignal(event.code());
  return event.kind() == "exit" ? std::to_string(event.code()) : "";
}

Tone ToneOf(const v1::ProcessEvent& event) {
  if (event.kind() == "crash" || event.kind() == "oom_kill") return Tone::kBad;
  return event.kind() == "exit" && event.code() != 0 ? Tone::kWarning : Tone::kPlain;
}

Table ProcessTable(const v1::ListProcessesResponse& response, const Session& session) {
  std::vector<Column> columns = {{.name = "TIME"},
                                 {.name = "EVENT"},
                                 {.name = "HOST", .flexible = 8},
                                 {.name = "SERVICE", .flexible = 10},
                                 {.name = "PID", .right = true},
                                 {.name = "CODE"},
                                 {.name = "COMMAND", .flexible = 12}};
  if (session.is_wide()) {
    columns.push_back({.name = "PARENT", .right = true});
    columns.push_back({.name = "EXECUTABLE"});
  }
  Table table(std::move(columns));
  for (const v1::ProcessEvent& event : response.events()) {
    std::vector<Cell> row = {
        {FormatTimeShort(event.time_ns(), session.now_ns(), session.globals().zone)},
        {event.kind(), ToneOf(event)},
        {event.host()},
        {event.workload()},
        {std::to_string(event.pid())},
        {CodeOf(event), ToneOf(event)},
        {event.command().empty() ? event.executable() : event.command()}};
    if (session.is_wide()) {
      row.emplace_back(std::to_string(event.parent_pid()));
      row.emplace_back(event.executable());
    }
    table.AddRow(std::move(row));
  }
  return table;
}

absl::StatusOr<ExitCode> Run(Session& session) {
  v1::ListProcessesRequest request;
  *request.mutable_time() = session.time_range();
  request.set_filter(session.globals().filter);
  v1::ListProcessesResponse response;
  RETURN_IF_ERROR(session.Ask(request, &response));
  // The newest come first, so that they are what --limit keeps.
  std::stable_sort(response.mutable_events()->begin(), response.mutable_events()->end(),
                   [](const v1::ProcessEvent& a, const v1::ProcessEvent& b) {
                     return a.time_ns() > b.time_ns();
                   });
  const size_t total = LimitRows(session, response.mutable_events());
  ASSIGN_OR_RETURN(const bool is_printed, session.PrintMessage(response));
  if (is_printed) {
    return IsPartial(response.completeness()) ? ExitCode::kPartial : ExitCode::kOk;
  }
  if (response.events().empty()) {
    session.out() << NothingFound(session, "process events");
  } else {
    session.out() << ProcessTable(response, session).Render(session.style(), session.width());
  }
  session.out() << LimitNote(response.events_size(), total, "process events");
  return session.PrintCompleteness(response.completeness());
}

}  // namespace

Command GetProcessesCommand() {
  return {.name = "get processes",
          .summary = "processes that started, ended, crashed or were killed",
          .details =
              "EVENT is start, exit, crash, oom_kill, or found for one that ran before the "
              "agent did. CODE is the exit status or the signal.",
          .formats = {"table", "wide", "json", "yaml"},
          .takes_time = true,
          .takes_filter = true,
          .takes_limit = true,
          .examples = {{"kindlingctl get processes -f 'event in (crash, oom_kill)' --since 1d",
                        "what died in the last day"},
                       {"kindlingctl get processes -f 'service=shop:8080'",
                        "starts and ends of one service"}},
          .run = Run};
}

}  // namespace kindling::ui
