#include "controller/query/endpoint_queries.h"

#include <algorithm>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "absl/strings/str_format.h"
#include "base/status_macros.h"
#include "controller/query/edge_queries.h"
#include "controller/topology/service_map.h"
#include "kindling/v1/query.pb.h"
#include "model/latency_histogram.h"

namespace kindling::controller {
namespace {

constexpr uint32_t kDefaultEndpoints = 20;
constexpr uint32_t kMaxEndpoints = 10'000;

struct Endpoint {
  std::string service;
  std::string protocol;
  std::string endpoint;
  uint64_t requests = 0;
  uint64_t errors = 0;
  uint64_t slow = 0;
  model::LatencyHistogram latency;
};

double Rank(const Endpoint& endpoint, v1::ListEndpointsRequest::Order order) {
  switch (order) {
    case v1::ListEndpointsRequest::ORDER_ERRORS:
      return static_cast<double>(endpoint.errors);
    case v1::ListEndpointsRequest::ORDER_P99:
      return endpoint.latency.QuantileNs(0.99);
    case v1::ListEndpointsRequest::ORDER_TOTAL_TIME:
      return static_cast<double>(endpoint.latency.sum_ns());
    default:
      return static_cast<double>(endpoint.requests);
  }
}

// Each view of an edge stands for the same requests, so that one of them is taken.
std::vector<Endpoint> Sum(const std::vector<MapEdge>& edges) {
  std::map<std::tuple<std::string, std::string, std::string>, Endpoint> sums;
  for (const MapEdge& edge : edges) {
    if (edge.shown().requests == 0) continue;
    Endpoint& sum = sums[{edge.server, edge.protocol, edge.endpoint}];
    const EdgeView& view = edge.shown();
    sum.requests += view.requests;
    sum.errors += view.errors;
    sum.slow += view.slow;
    sum.latency.Merge(view.latency);
  }
  std::vector<Endpoint> out;
  for (auto& [key, sum] : sums) {
    std::tie(sum.service, sum.protocol, sum.endpoint) = key;
    out.push_back(std::move(sum));
  }
  return out;
}

}  // namespace

absl::Status ListEndpoints(const QueryContext& context, const v1::ListEndpointsRequest& request,
                           v1::ListEndpointsResponse* response) {
  if (request.limit() > kMaxEndpoints) {
    return absl::InvalidArgumentError(absl::StrFormat("limit: is more than %d", kMaxEndpoints));
  }
  ASSIGN_OR_RETURN(const EdgeAnswer answer,
                   AnswerFor(context, request.time(), request.filter(), /*by_endpoint=*/true));
  std::vector<Endpoint> endpoints = Sum(answer.edges);
  response->set_total(static_cast<double>(endpoints.size()));
  std::stable_sort(endpoints.begin(), endpoints.end(), [&](const Endpoint& a, const Endpoint& b) {
    return Rank(a, request.order()) > Rank(b, request.order());
  });
  const size_t limit = request.limit() == 0 ? kDefaultEndpoints : request.limit();
  if (endpoints.size() > limit) endpoints.resize(limit);
  for (const Endpoint& endpoint : endpoints) {
    v1::Endpoint* out = response->add_endpoints();
    out->set_service(endpoint.service);
    out->set_protocol(endpoint.protocol);
    out->set_endpoint(endpoint.endpoint);
    out->set_request_count(static_cast<double>(endpoint.requests));
    out->set_error_count(static_cast<double>(endpoint.errors));
    out->set_slow_count(static_cast<double>(endpoint.slow));
    out->set_p50_ms(endpoint.latency.QuantileNs(0.50) / 1e6);
    out->set_p95_ms(endpoint.latency.QuantileNs(0.95) / 1e6);
    out->set_p99_ms(endpoint.latency.QuantileNs(0.99) / 1e6);
    out->set_total_ms(static_cast<double>(endpoint.latency.sum_ns()) / 1e6);
  }
  answer.completeness.WriteTo(response->mutable_completeness());
  return absl::OkStatus();
}

}  // namespace kindling::controller
