#include "controller/query/loaded_edges.h"

#include <algorithm>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <utility>

#include "base/status_macros.h"
#include "model/filter_field.h"

namespace kindling::controller {
namespace {

// `has_kind` false: the ends only are known, not what passed between them.
bool MayMatch(const model::Filter& filter, model::RecordKind kind, const EdgeGroup& group,
              bool has_kind) {
  const auto is_known = [&](model::FilterField field) {
    if (IsOfEnds(field)) return true;
    switch (field) {
      case model::FilterField::kEndpoint:
      case model::FilterField::kStatus:
      case model::FilterField::kCode:
      case model::FilterField::kOutcome:
        return has_kind;
      default:
        return has_kind && kind == model::RecordKind::kEdge;
    }
  };
  return filter.MayMatch(model::EdgeFields(group.sum, NamesOf(group)), is_known);
}

// Whether what a group counts, or lost, may be of the records that the filter selects.
bool MayConcern(const model::Filter& filter, model::RecordKind kind, const EdgeGroup& group) {
  // Rows of a whole edge, where losses are counted, have no endpoint and no status.
  return MayMatch(filter, kind, group, group.sum.outcome != model::Outcome::kUnset);
}

void AddReport(const storage::ScanReport& from, storage::ScanReport& report) {
  report.damaged_blocks += from.damaged_blocks;
  report.damaged_rows += from.damaged_rows;
  report.notes.insert(report.notes.end(), from.notes.begin(), from.notes.end());
}

absl::StatusOr<storage::ScanReport> FlowsFor(
    const QueryContext& context, const Range& range,
    const std::function<absl::Status(const storage::FlowRun&)>& visit) {
  absl::Status status;
  ASSIGN_OR_RETURN(storage::ScanReport report,
                   context.sources.store.QueryFlows({.tenant = context.caller.tenant,
                                                     .cluster = context.caller.cluster,
                                                     .start_ns = range.start_ns,
                                                     .end_ns = range.end_ns,
                                                     .step_ns = WindowsFor(range),
                                                     .cancelled = context.cancelled},
                                                    [&](const storage::FlowRun& run) {
                                                      status = visit(run);
                                                      return status.ok();
                                                    }));
  RETURN_IF_ERROR(status);
  return report;
}

}  // namespace

int64_t WindowsFor(const Range& range) {
  constexpr int64_t kMinuteNs = int64_t{60} * 1'000'000'000;
  constexpr int64_t kHourNs = 60 * kMinuteNs;
  const int64_t length_ns = range.end_ns - range.start_ns;
  return length_ns >= 48 * kHourNs ? kHourNs : length_ns >= kHourNs / 2 ? kMinuteNs : 0;
}

bool IsOfEnds(model::FilterField field) {
  switch (field) {
    case model::FilterField::kService:
    case model::FilterField::kClient:
    case model::FilterField::kServer:
    case model::FilterField::kHost:
    case model::FilterField::kAddress:
    case model::FilterField::kProtocol:
    case model::FilterField::kTransport:
    case model::FilterField::kSide:
      return true;
    default:
      return false;
  }
}

absl::StatusOr<LoadedEdges> LoadEdges(const QueryContext& context, const Range& range,
                                      EdgeDetail detail) {
  LoadedEdges loaded;
  ASSIGN_OR_RETURN(
      const storage::ScanReport addresses,
      ScanFor(context, {.end_ns = range.end_ns, .addresses = true}, [&](const model::Batch& block) {
        for (const auto& row : block.addresses) loaded.addresses->Add(row);
        return absl::OkStatus();
      }));
  // Whole minutes may end after now: the newest windows, of which one side's may still be on their
  // way, are those before now.
  const int64_t now_ns = context.sources.clock.WallNs();
  const int64_t end_ns = detail == EdgeDetail::kFlows && range.start_ns < now_ns
                             ? std::min(range.end_ns, now_ns)
                             : range.end_ns;
  loaded.groups = std::make_unique<EdgeGroups>(*loaded.addresses, range.start_ns, end_ns);
  EdgeGroups& groups = *loaded.groups;
  const bool is_flows = detail == EdgeDetail::kFlows;
  storage::ScanReport flows;
  if (is_flows) {
    ASSIGN_OR_RETURN(flows, FlowsFor(context, range, [&](const storage::FlowRun& run) {
                       return groups.AddFlow(run);
                     }));
  }
  std::map<std::tuple<model::LossStage, std::string, std::string>, model::Loss> losses;
  storage::ScanPlan plan{.start_ns = range.start_ns,
                         .end_ns = range.end_ns,
                         .step_ns = WindowsFor(range),
                         .edges = !is_flows};
  storage::ScanPlan with_losses = plan;
  with_losses.losses = true;
  ASSIGN_OR_RETURN(loaded.report, ScanFor(context, with_losses, [&](const model::Batch& block) {
                     for (const model::EdgeStats& row : block.edges) {
                       RETURN_IF_ERROR(groups.Add(row));
                     }
                     for (const model::Loss& row : block.losses) {
                       model::Loss& sum = losses[{row.stage, row.host, row.workload}];
                       sum.requests += row.requests;
                       sum.events += row.events;
                       sum.bytes += row.bytes;
                     }
                     return absl::OkStatus();
                   }));
  groups.Finish();
  if (groups.wants_rows_again() && is_flows) {
    RETURN_IF_ERROR(FlowsFor(context, range, [&](const storage::FlowRun& run) {
                      return groups.AddFlowAgain(run);
                    }).status());
  } else if (groups.wants_rows_again()) {
    plan.step_ns = 0;
    RETURN_IF_ERROR(ScanFor(context, plan, [&](const model::Batch& block) {
                      for (const model::EdgeStats& row : block.edges) {
                        RETURN_IF_ERROR(groups.AddAgain(row));
                      }
                      return absl::OkStatus();
                    }).status());
  }
  groups.FinishAgain();
  for (auto& [key, sum] : losses) {
    std::tie(sum.stage, sum.host, sum.workload) = key;
    loaded.losses.push_back(std::move(sum));
  }
  AddReport(flows, loaded.report);
  AddReport(addresses, loaded.report);
  return loaded;
}

std::vector<MapEdge> EdgesConcerned(const EdgeGroups& groups, const model::Filter& filter,
                                    model::RecordKind kind) {
  return BuildEdges(groups, false,
                    [&](const EdgeGroup& group) { return MayConcern(filter, kind, group); });
}

void AddAround(const QueryContext& context, const LoadedEdges& loaded, const Range& range,
               const Concerned& concerned, LossAdder add, CompletenessSum& completeness) {
  // Where nothing was seen of what is asked for, it may have been anywhere.
  const std::set<std::string>& names = concerned.names;
  const std::set<std::string>& hosts = concerned.hosts;
  const bool is_anywhere = hosts.empty();
  for (const model::Loss& loss : loaded.losses) {
    // What was lost on a host without a name may have been any of its workloads'.
    const bool concerns =
        loss.workload.empty() ? hosts.contains(loss.host) : names.contains(loss.workload);
    if (is_anywhere || concerns) (completeness.*add)(loss);
  }
  completeness.AddReport(loaded.report);
  completeness.AddAgents(context.sources.registry.List(), range, [&](const std::string& host) {
    return is_anywhere || hosts.contains(host) || loaded.addresses->RunsAny(host, names);
  });
}

void AddMissing(const QueryContext& context, const LoadedEdges& loaded, const model::Filter& filter,
                model::RecordKind kind, const Range& range, const std::vector<MapEdge>& edges,
                CompletenessSum& completeness) {
  // Of those that it asks for by their ends, whatever else it asks.
  Concerned concerned;
  const bool asks_ends = filter.Needs().asks_ends;
  for (const EdgeGroup& group : loaded.groups->groups()) {
    if (!asks_ends || !MayMatch(filter, kind, group, false)) continue;
    concerned.Add(group.client);
    concerned.Add(group.server);
  }
  completeness.AddMissing(edges);
  AddAround(context, loaded, range, concerned, &CompletenessSum::AddLoss, completeness);
}

model::EndNames NamesOf(const EdgeGroups::Ends& ends) {
  return {.client = ends.client.name,
          .server = ends.server.name,
          .client_host = ends.client.host,
          .server_host = ends.server.host};
}

model::EndNames NamesOf(const EdgeGroup& group) {
  return {.client = group.client.name,
          .server = group.server.name,
          .client_host = group.client.host,
          .server_host = group.server.host};
}

}  // namespace kindling::controller
