#include "controller/query/label_queries.h"

#include <algorithm>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_format.h"
#include "base/status_macros.h"
#include "controller/query/edge_queries.h"
#include "controller/query/metric_queries.h"
#include "controller/topology/service_map.h"
#include "kindling/v1/query.pb.h"

namespace kindling::controller {
namespace {

constexpr uint32_t kDefaultValues = 1000;
constexpr uint32_t kMaxValues = 10'000;
constexpr size_t kMaxDistinctSeries = 1'000'000;

using Counts = absl::flat_hash_map<std::string, double>;

// Counts the requests of an edge under the value it has in a field.
using Count = void (*)(const MapEdge& edge, double requests, Counts& counts);

Count CountOf(const std::string& field) {
  if (field == "service") {
    return [](const MapEdge& edge, double requests, Counts& counts) {
      counts[edge.client] += 0;
      counts[edge.server] += requests;
    };
  }
  if (field == "endpoint") {
    return [](const MapEdge& edge, double requests, Counts& counts) {
      if (!edge.endpoint.empty()) counts[edge.endpoint] += requests;
    };
  }
  if (field == "protocol") {
    return [](const MapEdge& edge, double requests, Counts& counts) {
      counts[edge.protocol] += requests;
    };
  }
  if (field == "status") {
    return [](const MapEdge& edge, double requests, Counts& counts) {
      if (!edge.status_code.empty()) counts[edge.status_code] += requests;
    };
  }
  return nullptr;
}

// Hosts count what was served on them by their own view: edges of a service on several hosts do not
// say which of them it was.
void CountHosts(const EdgeGroup& group, Counts& counts) {
  const bool is_server = group.sum.observer == model::Side::kServer;
  const std::string& host = is_server ? group.server.host : group.client.host;
  if (host.empty()) return;
  counts[host] += is_server ? static_cast<double>(group.sum.count) : 0;
}

absl::Status CountRequests(const QueryContext& context, const v1::ListLabelValuesRequest& request,
                           Counts& counts, v1::Completeness* completeness) {
  if (!request.matchers().empty()) {
    return absl::InvalidArgumentError("matchers: belong to a label, not to a field");
  }
  const bool by_host = request.field() == "host";
  const Count count = CountOf(request.field());
  if (count == nullptr && !by_host) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "field: \"%s\" is none of service, endpoint, protocol, status and host", request.field()));
  }
  ASSIGN_OR_RETURN(const EdgeAnswer answer,
                   AnswerFor(context, request.time(), request.filter(), /*by_endpoint=*/true,
                             [&](const EdgeGroup& group) {
                               if (by_host) CountHosts(group, counts);
                             }));
  if (count != nullptr) {
    for (const MapEdge& edge : answer.edges) {
      count(edge, static_cast<double>(edge.shown().requests), counts);
    }
  }
  answer.completeness.WriteTo(completeness);
  return absl::OkStatus();
}

absl::Status CountSeries(const QueryContext& context, const v1::ListLabelValuesRequest& request,
                         Counts& counts, v1::Completeness* completeness) {
  if (!request.filter().empty()) {
    return absl::InvalidArgumentError("filter: belongs to a field, not to a label");
  }
  if (request.label().empty()) return absl::InvalidArgumentError("label: is empty");
  ASSIGN_OR_RETURN(const LabelMatchers matchers, LabelMatchers::Parse(request.matchers()));
  ASSIGN_OR_RETURN(const Range range, ResolveRange(context, request.time()));
  std::set<model::MetricSeries> seen;
  ASSIGN_OR_RETURN(const storage::ScanReport report,
                   VisitSeries(context, range, matchers, range.end_ns - range.start_ns,
                               [&](const storage::MetricRun& run) {
                                 const std::string& value = LabelOf(run.series, request.label());
                                 if (value.empty() || !seen.insert(run.series).second)
                                   return absl::OkStatus();
                                 ++counts[value];
                                 if (seen.size() <= kMaxDistinctSeries) return absl::OkStatus();
                                 return absl::ResourceExhaustedError(
                                     "too many series: give more matchers, or less time");
                               }));
  WriteCompleteness(context, range, report, completeness);
  return absl::OkStatus();
}

}  // namespace

absl::Status ListLabelValues(const QueryContext& context, const v1::ListLabelValuesRequest& request,
                             v1::ListLabelValuesResponse* response) {
  if (request.limit() > kMaxValues) {
    return absl::InvalidArgumentError(absl::StrFormat("limit: is more than %d", kMaxValues));
  }
  Counts counts;
  switch (request.what_case()) {
    case v1::ListLabelValuesRequest::kField:
      RETURN_IF_ERROR(CountRequests(context, request, counts, response->mutable_completeness()));
      break;
    case v1::ListLabelValuesRequest::kLabel:
      RETURN_IF_ERROR(CountSeries(context, request, counts, response->mutable_completeness()));
      break;
    case v1::ListLabelValuesRequest::WHAT_NOT_SET:
      return absl::InvalidArgumentError("a field or a label is needed");
  }
  std::vector<std::pair<std::string, double>> values(counts.begin(), counts.end());
  std::sort(values.begin(), values.end(), [](const auto& a, const auto& b) {
    return a.second != b.second ? a.second > b.second : a.first < b.first;
  });
  response->set_total(static_cast<double>(values.size()));
  const size_t limit = request.limit() == 0 ? kDefaultValues : request.limit();
  if (values.size() > limit) values.resize(limit);
  for (const auto& [value, count] : values) {
    v1::LabelValue* out = response->add_values();
    out->set_value(value);
    out->set_count(count);
  }
  return absl::OkStatus();
}

}  // namespace kindling::controller
