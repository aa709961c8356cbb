#include "controller/query/edge_queries.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <utility>

#include "absl/strings/str_format.h"
#include "base/status_macros.h"
#include "controller/query/loaded_edges.h"
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
  return filter.matches_all() || filter.Matches(model::EdgeFields(group.sum, NamesOf(group)));
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
  ASSIGN_OR_RETURN(const LoadedEdges loaded, LoadEdges(context, answer.range, EdgeDetail::kAll));
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
  AddMissing(context, loaded, *filter, model::RecordKind::kEdge, answer.range,
             EdgesConcerned(*loaded.groups, *filter, model::RecordKind::kEdge),
             answer.completeness);
  return answer;
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
