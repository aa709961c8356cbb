#include "controller/query/edge_queries.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <utility>

#include "absl/strings/str_format.h"
#include "base/status_macros.h"
#include "kindling/v1/query.pb.h"
#include "model/filter_field.h"
#include "model/record_fields.h"

namespace kindling::controller {
namespace {

constexpr size_t kMaxRows = 20'000;

double Ms(double ns) { return ns / 1e6; }

template <typename Out>
void WriteQuantiles(const model::LatencyHistogram& latency, Out* out) {
  out->set_p50_ms(Ms(latency.QuantileNs(0.50)));
  out->set_p95_ms(Ms(latency.QuantileNs(0.95)));
  out->set_p99_ms(Ms(latency.QuantileNs(0.99)));
}

// The numbers that an edge and its views have under the same names.
template <typename Out>
void WriteNumbers(const EdgeView& view, Out* out) {
  out->set_request_count(static_cast<double>(view.requests));
  out->set_error_count(static_cast<double>(view.errors));
  WriteQuantiles(view.latency, out);
  out->set_bytes_sent(static_cast<double>(view.sent_bytes));
  out->set_bytes_received(static_cast<double>(view.received_bytes));
  out->set_lost(static_cast<double>(view.lost));
  out->set_slow_count(static_cast<double>(view.slow));
}

void WriteEdge(const MapEdge& edge, v1::Edge* out) {
  out->set_client(edge.client);
  out->set_server(edge.server);
  out->set_protocol(edge.protocol);
  out->set_transport(std::string(Name(edge.transport)));
  out->set_endpoint(edge.endpoint);
  out->set_status_code(edge.status_code);
  out->set_client_kind(edge.client_kind);
  out->set_server_kind(edge.server_kind);
  out->set_server_address(edge.server_address);
  WriteNumbers(edge.shown(), out);
  out->set_connections(static_cast<double>(edge.shown().connections));
  // A server does not see the attempts that never reached it.
  out->set_connect_failures(static_cast<double>(edge.client_view.connect_failures));
  if (edge.client_view.present) WriteNumbers(edge.client_view, out->mutable_client_view());
  if (edge.server_view.present) WriteNumbers(edge.server_view, out->mutable_server_view());
  out->set_observer(!edge.server_view.present   ? "client"
                    : !edge.client_view.present ? "server"
                                                : "both");
  for (const std::string& note : edge.notes) out->add_notes(note);
}

model::EndNames NamesOf(const EdgeGroup& group) {
  return {.client = group.client.name,
          .server = group.server.name,
          .client_host = group.client.host,
          .server_host = group.server.host};
}

bool Matches(const model::Filter& filter, const EdgeGroup& group) {
  return filter.matches_all() || filter.Matches(model::EdgeFields(group.sum, NamesOf(group)));
}

// `has_kind` false: the ends only are known, not what passed between them.
bool MayMatch(const model::Filter& filter, model::RecordKind kind, const EdgeGroup& group,
              bool has_kind) {
  const auto is_known = [&](model::FilterField field) {
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

// Windows short enough to tell the times of a range apart.
int64_t StepFor(const Range& range) {
  constexpr int64_t kMinuteNs = int64_t{60} * 1'000'000'000;
  constexpr int64_t kHourNs = 60 * kMinuteNs;
  const int64_t length_ns = range.end_ns - range.start_ns;
  return length_ns >= 48 * kHourNs ? kHourNs : length_ns >= kHourNs / 2 ? kMinuteNs : 0;
}

// The part of `range` that was watched and told of.
Range CoveredBy(const Flows& flows, const std::vector<AgentInfo>& agents, const Range& range) {
  // Windows come a moment after their end; without any for longer nothing happened.
  constexpr int64_t kLatestNs = int64_t{30} * 1'000'000'000;
  int64_t start_ns = flows.first_ns() == 0 ? range.end_ns : flows.first_ns();
  for (const AgentInfo& agent : agents) {
    if (agent.replay || agent.last_seen_ns < range.start_ns) continue;
    start_ns = std::min(start_ns, static_cast<int64_t>(agent.boot_epoch));
  }
  start_ns = std::clamp(start_ns, range.start_ns, range.end_ns);
  const int64_t end_ns =
      std::clamp(std::max(flows.last_ns(), range.end_ns - kLatestNs), start_ns, range.end_ns);
  return end_ns > start_ns ? Range{start_ns, end_ns} : range;
}

}  // namespace

absl::StatusOr<EdgeAnswer> AnswerFor(const QueryContext& context, const v1::TimeRange& time,
                                     const std::string& filter_text, bool by_endpoint,
                                     const std::function<void(const EdgeGroup&)>& visit) {
  absl::StatusOr<model::Filter> filter =
      model::Filter::Parse(filter_text, model::RecordKind::kEdge);
  if (!filter.ok()) return FilterFault(filter.status());
  EdgeAnswer answer;
  ASSIGN_OR_RETURN(answer.range, ResolveRange(context, time));
  ASSIGN_OR_RETURN(const LoadedEdges loaded, LoadEdges(context, answer.range));
  answer.edges = BuildEdges(*loaded.groups, by_endpoint, [&](const EdgeGroup& group) {
    const bool is_wanted = Matches(*filter, group);
    if (is_wanted && visit != nullptr) visit(group);
    return is_wanted;
  });
  if (answer.edges.size() > kMaxRows) {
    return absl::ResourceExhaustedError(
        absl::StrFormat("the answer has %d rows, more than %d: ask for less time, or with a filter",
                        answer.edges.size(), kMaxRows));
  }

  answer.covered = CoveredBy(loaded.groups->flows(), context.sources.registry.List(), answer.range);
  answer.completeness.AddCaptured(answer.edges);
  AddMissing(context, loaded, *filter, model::RecordKind::kEdge, answer.range, answer.completeness);
  return answer;
}

absl::StatusOr<LoadedEdges> LoadEdges(const QueryContext& context, const Range& range) {
  LoadedEdges loaded;
  ASSIGN_OR_RETURN(
      const storage::ScanReport addresses,
      ScanFor(context, {.end_ns = range.end_ns, .addresses = true}, [&](const model::Batch& block) {
        for (const auto& row : block.addresses) loaded.addresses->Add(row);
        return absl::OkStatus();
      }));
  loaded.groups = std::make_unique<EdgeGroups>(*loaded.addresses, range.start_ns, range.end_ns);
  std::map<std::tuple<model::LossStage, std::string, std::string>, model::Loss> losses;
  ASSIGN_OR_RETURN(loaded.report,
                   ScanFor(context,
                           {.start_ns = range.start_ns,
                            .end_ns = range.end_ns,
                            .step_ns = StepFor(range),
                            .edges = true,
                            .losses = true},
                           [&](const model::Batch& block) {
                             for (const model::EdgeStats& row : block.edges) {
                               RETURN_IF_ERROR(loaded.groups->Add(row));
                             }
                             for (const model::Loss& row : block.losses) {
                               model::Loss& sum = losses[{row.stage, row.host, row.workload}];
                               sum.requests += row.requests;
                               sum.events += row.events;
                               sum.bytes += row.bytes;
                             }
                             return absl::OkStatus();
                           }));
  loaded.groups->Finish();
  if (loaded.groups->wants_rows_again()) {
    RETURN_IF_ERROR(ScanFor(context,
                            {.start_ns = range.start_ns, .end_ns = range.end_ns, .edges = true},
                            [&](const model::Batch& block) {
                              for (const model::EdgeStats& row : block.edges) {
                                RETURN_IF_ERROR(loaded.groups->AddAgain(row));
                              }
                              return absl::OkStatus();
                            })
                        .status());
    loaded.groups->FinishAgain();
  }
  for (auto& [key, sum] : losses) {
    std::tie(sum.stage, sum.host, sum.workload) = key;
    loaded.losses.push_back(std::move(sum));
  }
  loaded.report.damaged_blocks += addresses.damaged_blocks;
  loaded.report.notes.insert(loaded.report.notes.end(), addresses.notes.begin(),
                             addresses.notes.end());
  return loaded;
}

std::vector<MapEdge> AddMissing(const QueryContext& context, const LoadedEdges& loaded,
                                const model::Filter& filter, model::RecordKind kind,
                                const Range& range, CompletenessSum& completeness) {
  std::vector<MapEdge> edges = BuildEdges(*loaded.groups, false, [&](const EdgeGroup& group) {
    return MayConcern(filter, kind, group);
  });
  // Of those that it asks for by their ends, whatever else it asks.
  std::set<std::string> names;
  std::set<std::string> hosts;
  for (const EdgeGroup& group : loaded.groups->groups()) {
    if (!MayMatch(filter, kind, group, false)) continue;
    names.insert({group.client.name, group.server.name});
    hosts.insert({group.client.host, group.server.host});
  }
  hosts.erase("");
  completeness.AddMissing(edges);
  // Where nothing was seen of what is asked for, it may have been anywhere.
  const bool is_anywhere = filter.matches_all() || hosts.empty();
  for (const model::Loss& loss : loaded.losses) {
    // What was lost on a host without a name may have been any of its workloads'.
    const bool concerns =
        loss.workload.empty() ? hosts.contains(loss.host) : names.contains(loss.workload);
    if (is_anywhere || concerns) completeness.AddLoss(loss);
  }
  completeness.AddReport(loaded.report);
  completeness.AddAgents(context.sources.registry.List(), range, [&](const std::string& host) {
    return is_anywhere || hosts.contains(host) || loaded.addresses->RunsAny(host, names);
  });
  return edges;
}

absl::Status ListEdges(const QueryContext& context, const v1::ListEdgesRequest& request,
                       v1::ListEdgesResponse* response) {
  ASSIGN_OR_RETURN(const EdgeAnswer answer,
                   AnswerFor(context, request.time(), request.filter(), request.by_endpoint()));
  for (const MapEdge& edge : answer.edges) WriteEdge(edge, response->add_edges());
  answer.completeness.WriteTo(response->mutable_completeness());
  response->mutable_covered()->set_start_ns(answer.covered.start_ns);
  response->mutable_covered()->set_end_ns(answer.covered.end_ns);
  return absl::OkStatus();
}

absl::Status ListServices(const QueryContext& context, const v1::ListServicesRequest& request,
                          v1::ListServicesResponse* response) {
  ASSIGN_OR_RETURN(const EdgeAnswer answer,
                   AnswerFor(context, request.time(), request.filter(), false));
  const double seconds = answer.covered.seconds();
  for (const MapService& service : BuildServices(answer.edges)) {
    v1::Service* out = response->add_services();
    out->set_name(service.name);
    out->set_kind(service.kind);
    for (const std::string& host : service.hosts) out->add_hosts(host);
    for (const std::string& protocol : service.protocols) out->add_protocols(protocol);
    const auto requests = static_cast<double>(service.requests);
    out->set_request_count(requests);
    out->set_error_count(static_cast<double>(service.errors));
    out->set_requests_per_second(seconds > 0 ? requests / seconds : 0);
    WriteQuantiles(service.latency, out);
  }
  answer.completeness.WriteTo(response->mutable_completeness());
  return absl::OkStatus();
}

}  // namespace kindling::controller
