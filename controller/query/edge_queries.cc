#include "controller/query/edge_queries.h"

#include <map>
#include <set>
#include <string>
#include <tuple>
#include <utility>

#include "absl/strings/str_format.h"
#include "base/status_macros.h"
#include "controller/query/completeness.h"
#include "controller/topology/service_map.h"
#include "kindling/v1/query.pb.h"
#include "model/filter.h"
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

bool Matches(const model::Filter& filter, const EdgeGroup& group) {
  if (filter.matches_all()) return true;
  const model::EndNames names{.client = group.client.name,
                              .server = group.server.name,
                              .client_host = group.client.host,
                              .server_host = group.server.host};
  return filter.Matches(model::EdgeFields(group.sum, names));
}

// The edges that a question is about, and how complete they are.
struct Answer {
  std::vector<MapEdge> edges;
  CompletenessSum completeness;
  Range range;
};

absl::StatusOr<Answer> AnswerFor(const QueryContext& context, const v1::TimeRange& time,
                                 const std::string& filter_text, bool by_endpoint) {
  absl::StatusOr<model::Filter> filter =
      model::Filter::Parse(filter_text, model::RecordKind::kEdge);
  if (!filter.ok()) return FilterFault(filter.status());
  Answer answer;
  ASSIGN_OR_RETURN(answer.range, ResolveRange(context, time));
  ASSIGN_OR_RETURN(const LoadedEdges loaded, LoadEdges(context, answer.range));
  answer.edges = BuildEdges(*loaded.groups, by_endpoint,
                            [&](const EdgeGroup& group) { return Matches(*filter, group); });
  if (answer.edges.size() > kMaxRows) {
    return absl::ResourceExhaustedError(
        absl::StrFormat("the answer has %d rows, more than %d: ask for less time, or with a filter",
                        answer.edges.size(), kMaxRows));
  }

  std::set<std::string> names;
  std::set<std::string> hosts;
  for (const MapEdge& edge : answer.edges) {
    names.insert({edge.client, edge.server});
    hosts.insert(edge.client_hosts.begin(), edge.client_hosts.end());
    hosts.insert(edge.server_hosts.begin(), edge.server_hosts.end());
  }
  answer.completeness.AddEdges(answer.edges);
  for (const model::Loss& loss : loaded.losses) {
    // What was lost on a host without a name may have been any of its workloads'.
    const bool concerned =
        loss.workload.empty() ? hosts.contains(loss.host) : names.contains(loss.workload);
    if (filter->matches_all() || concerned) answer.completeness.AddLoss(loss);
  }
  answer.completeness.AddReport(loaded.report);
  answer.completeness.AddAgents(context.sources.registry.List(), answer.range);
  return answer;
}

}  // namespace

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
  ASSIGN_OR_RETURN(
      loaded.report,
      ScanFor(context,
              {.start_ns = range.start_ns, .end_ns = range.end_ns, .edges = true, .losses = true},
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
    RETURN_IF_ERROR(
        ScanFor(context, {.start_ns = range.start_ns, .end_ns = range.end_ns, .edges = true},
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

absl::Status ListEdges(const QueryContext& context, const v1::ListEdgesRequest& request,
                       v1::ListEdgesResponse* response) {
  ASSIGN_OR_RETURN(const Answer answer,
                   AnswerFor(context, request.time(), request.filter(), request.by_endpoint()));
  for (const MapEdge& edge : answer.edges) WriteEdge(edge, response->add_edges());
  answer.completeness.WriteTo(response->mutable_completeness());
  return absl::OkStatus();
}

absl::Status ListServices(const QueryContext& context, const v1::ListServicesRequest& request,
                          v1::ListServicesResponse* response) {
  ASSIGN_OR_RETURN(const Answer answer,
                   AnswerFor(context, request.time(), request.filter(), false));
  const double seconds = answer.range.seconds();
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
