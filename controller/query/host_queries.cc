#include "controller/query/host_queries.h"

#include <algorithm>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "absl/strings/str_format.h"
#include "base/status_macros.h"
#include "base/version.h"
#include "controller/query/completeness.h"
#include "kindling/v1/query.pb.h"
#include "model/filter.h"
#include "model/record_fields.h"

namespace kindling::controller {
namespace {

constexpr size_t kMaxEvents = 20'000;
// Between two words of a connected agent; a connection may outlive the agent's ability to speak.
constexpr int64_t kSilentAfterNs = int64_t{60} * 1'000'000'000;

void WriteEvent(const model::ProcessEvent& event, v1::ProcessEvent* out) {
  out->set_time_ns(event.time_ns);
  out->set_kind(std::string(Name(event.kind)));
  out->set_host(event.host);
  out->set_workload(event.workload);
  out->set_executable(event.executable);
  out->set_command(event.command);
  out->set_pid(event.pid);
  out->set_parent_pid(event.parent_pid);
  out->set_code(event.code);
}

std::string RungName(uint32_t rung) {
  constexpr const char* kNames[] = {"full", "heads", "aggregates", "connections"};
  return rung < std::size(kNames) ? kNames[rung] : absl::StrFormat("%d", rung);
}

double Mb(uint64_t bytes) { return static_cast<double>(bytes) / 1e6; }

}  // namespace

absl::Status ListProcesses(const QueryContext& context, const v1::ListProcessesRequest& request,
                           v1::ListProcessesResponse* response) {
  absl::StatusOr<model::Filter> filter =
      model::Filter::Parse(request.filter(), model::RecordKind::kProcess);
  if (!filter.ok()) return FilterFault(filter.status());
  ASSIGN_OR_RETURN(const Range range, ResolveRange(context, request.time()));
  std::vector<model::ProcessEvent> events;
  std::vector<model::Loss> losses;
  std::set<std::string> hosts;
  ASSIGN_OR_RETURN(
      const storage::ScanReport report,
      ScanFor(
          context,
          {.start_ns = range.start_ns, .end_ns = range.end_ns, .processes = true, .losses = true},
          [&](const model::Batch& block) {
            losses.insert(losses.end(), block.losses.begin(), block.losses.end());
            for (const model::ProcessEvent& event : block.processes) {
              if (!filter->Matches(model::ProcessFields(event))) continue;
              if (events.size() == kMaxEvents) {
                return absl::ResourceExhaustedError(absl::StrFormat(
                    "more than %d process events: ask for less time, or with a filter",
                    kMaxEvents));
              }
              events.push_back(event);
              hosts.insert(event.host);
            }
            return absl::OkStatus();
          }));
  std::sort(events.begin(), events.end(),
            [](const model::ProcessEvent& a, const model::ProcessEvent& b) {
              return std::tie(a.time_ns, a.host, a.pid, a.kind) <
                     std::tie(b.time_ns, b.host, b.pid, b.kind);
            });
  for (const model::ProcessEvent& event : events) WriteEvent(event, response->add_events());
  // Where nothing was seen of what is asked for, it may have been anywhere.
  const auto concerns = [&](const std::string& host) {
    return filter->matches_all() || hosts.empty() || hosts.contains(host);
  };
  CompletenessSum completeness;
  completeness.AddCaptured(events.size());
  for (const model::Loss& loss : losses) {
    if (concerns(loss.host)) completeness.AddProcessLoss(loss);
  }
  completeness.AddReport(report);
  completeness.AddAgents(context.sources.registry.List(), range, concerns);
  completeness.WriteTo(response->mutable_completeness());
  return absl::OkStatus();
}

absl::Status ListAgents(const QueryContext& context, v1::ListAgentsResponse* response) {
  const int64_t now_ns = context.sources.clock.WallNs();
  for (const AgentInfo& agent : context.sources.registry.List()) {
    v1::Agent* out = response->add_agents();
    const bool heard = now_ns - agent.last_seen_ns < kSilentAfterNs;
    out->set_id(agent.id);
    out->set_host(agent.host);
    out->set_state(agent.connected && heard ? "connected" : "silent");
    out->set_version(agent.version);
    out->set_kernel(agent.kernel);
    out->set_capture_hook(agent.capture_hook);
    out->set_scope(agent.scope);
    out->set_rung(RungName(agent.health.rung));
    out->set_last_seen_ns(agent.last_seen_ns);
    out->set_started_ns(static_cast<int64_t>(agent.boot_epoch));
    out->set_clock_offset_ms(static_cast<double>(agent.clock_offset_ns) / 1e6);
    out->set_rss_mb(Mb(agent.health.rss_bytes));
    out->set_bpf_mb(Mb(agent.health.bpf_bytes));
    out->set_cpu_seconds(agent.health.cpu_seconds);
    out->set_connections(static_cast<double>(agent.health.connections));
    out->set_events(static_cast<double>(agent.health.events));
    out->set_lost_events(static_cast<double>(agent.health.lost_events));
    out->set_spool_mb(Mb(agent.health.spool_bytes));
    out->set_last_sequence(static_cast<double>(agent.last_sequence));
    out->set_replay(agent.replay);
  }
  return absl::OkStatus();
}

absl::Status GetServerInfo(const QueryContext& context, v1::GetServerInfoResponse* response) {
  const QuerySources& sources = context.sources;
  response->set_version(std::string(base::kSoftwareVersion));
  response->set_store_id(sources.store.id());
  response->set_cluster(context.caller.cluster);
  response->set_oldest_record_ns(sources.store.OldestNs());
  response->set_store_bytes(static_cast<double>(sources.store.ApproximateBytes()));
  response->set_now_ns(sources.clock.WallNs());
  return absl::OkStatus();
}

}  // namespace kindling::controller
