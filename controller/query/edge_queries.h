#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "controller/query/completeness.h"
#include "controller/query/query_context.h"
#include "controller/topology/edge_groups.h"
#include "controller/topology/service_map.h"

namespace kindling::v1 {
class ListEdgesRequest;
class ListEdgesResponse;
class ListServicesRequest;
class ListServicesResponse;
class TimeRange;
}  // namespace kindling::v1

namespace kindling::controller {

// The edges that a question is about, and how complete they are.
struct EdgeAnswer {
  std::vector<MapEdge> edges;
  CompletenessSum completeness;
  Range range;
  Range covered;  // the part of it that was watched and told of
};
// `visit` is called for each group of rows that the edges are made of. RESOURCE_EXHAUSTED: too many
// edges to answer.
absl::StatusOr<EdgeAnswer> AnswerFor(const QueryContext& context, const v1::TimeRange& time,
                                     const std::string& filter, bool by_endpoint,
                                     const std::function<void(const EdgeGroup&)>& visit = nullptr);

absl::Status ListEdges(const QueryContext& context, const v1::ListEdgesRequest& request,
                       v1::ListEdgesResponse* response);
absl::Status ListServices(const QueryContext& context, const v1::ListServicesRequest& request,
                          v1::ListServicesResponse* response);

}  // namespace kindling::controller
