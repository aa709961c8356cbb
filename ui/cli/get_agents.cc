#include <utility>

#include "absl/strings/str_format.h"
#include "base/status_macros.h"
#include "base/units.h"
#include "kindling/v1/query.pb.h"
#include "ui/cli/commands.h"
#include "ui/cli/format.h"
#include "ui/cli/rows.h"
#include "ui/cli/session.h"
#include "ui/cli/table.h"

namespace kindling::ui {
namespace {

std::string Ago(int64_t then_ns, int64_t now_ns) {
  if (then_ns == 0) return "-";
  if (then_ns > now_ns) return "now";
  // To the second: nobody needs the age of a heartbeat in microseconds.
  const int64_t seconds = (now_ns - then_ns) / 1'000'000'000;
  return seconds == 0 ? "now" : base::FormatDurationNs(static_cast<double>(seconds) * 1e9);
}

std::string Megabytes(double mb) { return base::FormatBytes(mb * 1e6); }

Table AgentTable(const v1::ListAgentsResponse& response, const Session& session) {
  std::vector<Column> columns = {
      {.name = "AGENT", .flexible = 10}, {.name = "STATE"},
      {.name = "SEEN", .right = true},   {.name = "VERSION"},
      {.name = "SCOPE", .flexible = 12}, {.name = "EVENTS", .right = true},
      {.name = "LOST", .right = true},   {.name = "RSS", .right = true}};
  if (session.is_wide()) {
    for (const char* name : {"HOST", "KERNEL", "HOOK", "RUNG"}) columns.push_back({.name = name});
    for (const char* name : {"STARTED", "BPF", "CPU", "CONNS", "SPOOL", "CLOCK", "SEQUENCE"}) {
      columns.push_back({.name = name, .right = true});
    }
  }
  Table table(std::move(columns));
  for (const v1::Agent& agent : response.agents()) {
    const bool is_silent = agent.state() != "connected";
    std::vector<Cell> row = {{agent.id()},
                             {agent.replay() ? agent.state() + " (replay)" : agent.state(),
                              is_silent ? Tone::kBad : Tone::kPlain},
                             {Ago(agent.last_seen_ns(), session.now_ns())},
                             {agent.version()},
                             {agent.scope()},
                             {FormatShortCount(agent.events())},
                             {FormatShortCount(agent.lost_events()),
                              agent.lost_events() > 0 ? Tone::kBad : Tone::kPlain},
                             {Megabytes(agent.rss_mb())}};
    if (session.is_wide()) {
      row.emplace_back(agent.host());
      row.emplace_back(agent.kernel());
      row.emplace_back(agent.capture_hook());
      row.emplace_back(agent.rung());
      row.emplace_back(Ago(agent.started_ns(), session.now_ns()));
      row.emplace_back(Megabytes(agent.bpf_mb()));
      row.emplace_back(base::FormatDurationNs(agent.cpu_seconds() * 1e9));
      row.emplace_back(FormatCount(agent.connections()));
      row.emplace_back(Megabytes(agent.spool_mb()));
      row.emplace_back(absl::StrFormat("%+.1fms", agent.clock_offset_ms()));
      row.emplace_back(FormatCount(agent.last_sequence()));
    }
    table.AddRow(std::move(row));
  }
  return table;
}

absl::StatusOr<ExitCode> Run(Session& session) {
  v1::ListAgentsResponse response;
  RETURN_IF_ERROR(session.Ask(v1::ListAgentsRequest(), &response));
  const size_t total = LimitRows(session, response.mutable_agents());
  ASSIGN_OR_RETURN(const bool is_printed, session.PrintMessage(response));
  if (is_printed) return ExitCode::kOk;
  if (response.agents().empty()) {
    session.out() << "no agent has connected to this controller yet; start kindling-agent with "
                     "controller.address set to it\n";
    return ExitCode::kOk;
  }
  session.out() << AgentTable(response, session).Render(session.style(), session.width());
  session.out() << LimitNote(response.agents_size(), total, "agents");
  int silent = 0;
  for (const v1::Agent& agent : response.agents()) silent += agent.state() != "connected";
  if (silent > 0) {
    session.out() << session.style().Paint(
                         Tone::kWarning,
                         absl::StrFormat("%d of %d agents silent", silent, response.agents_size()))
                  << "\n";
  }
  return ExitCode::kOk;
}

}  // namespace

Command GetAgentsCommand() {
  return {.name = "get agents",
          .summary = "the agents, how they are and what they cost",
          .details =
              "EVENTS and LOST are kernel events since the agent started. -o wide adds the "
              "kernel, the data path, the overload rung, CPU, memory and the clock's offset.",
          .formats = {"table", "wide", "json", "yaml"},
          .takes_limit = true,
          .examples = {{"kindlingctl get agents", "who is watching"},
                       {"kindlingctl get agents -o wide", "with cost and kernel"}},
          .run = Run};
}

}  // namespace kindling::ui
