#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "controller/query/completeness.h"
#include "controller/query/query_context.h"
#include "controller/topology/edge_groups.h"
#include "controller/topology/service_map.h"
#include "model/filter.h"
#include "model/records.h"
#include "storage/store.h"

namespace kindling::v1 {
class ListEdgesRequest;
class ListEdgesResponse;
class ListServicesRequest;
class ListServicesResponse;
class TimeRange;
}  // namespace kindling::v1

namespace kindling::controller {

// What the store holds of a time range, summed and named.
struct LoadedEdges {
  std::unique_ptr<AddressTable> addresses = std::make_unique<AddressTable>();
  std::unique_ptr<EdgeGroups> groups;  // finished
  std::vector<model::Loss> losses;     // summed by stage, host and workload
  storage::ScanReport report;
};
// Over long ranges the store's sums by minute or hour are read where they lie wholly within it.
absl::StatusOr<LoadedEdges> LoadEdges(const QueryContext& context, const Range& range);

// What is missing from an answer about the records that `filter` selects, of one tenant's edges:
// losses, damage, silent agents. `kind` is what the answer is made of.
// Returns the edges that the answer may concern.
std::vector<MapEdge> AddMissing(const QueryContext& context, const LoadedEdges& loaded,
                                const model::Filter& filter, model::RecordKind kind,
                                const Range& range, CompletenessSum& completeness);

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
