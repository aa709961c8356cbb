#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "controller/query/completeness.h"
#include "controller/query/query_context.h"
#include "controller/topology/edge_groups.h"
#include "controller/topology/service_map.h"
#include "model/filter.h"
#include "model/filter_field.h"
#include "model/record_fields.h"
#include "model/records.h"
#include "storage/store.h"

namespace kindling::controller {

// What the store holds of a time range, summed and named.
struct LoadedEdges {
  std::unique_ptr<AddressTable> addresses = std::make_unique<AddressTable>();
  std::unique_ptr<EdgeGroups> groups;  // finished
  std::vector<model::Loss> losses;     // summed by stage, host and workload
  storage::ScanReport report;
};

enum class EdgeDetail : uint8_t {
  kAll,    // by endpoint and status
  kFlows,  // who called whom and how often; for ranges of whole minutes
};

// Over long ranges the store's sums by minute or hour are read where they lie wholly within it.
absl::StatusOr<LoadedEdges> LoadEdges(const QueryContext& context, const Range& range,
                                      EdgeDetail detail);

// The step of the windows that tell the times of a range apart, as the store takes it.
int64_t WindowsFor(const Range& range);

// Whether a field of a filter is told by who the two ends are.
bool IsOfEnds(model::FilterField field);

// Whom an answer is about. Without any host: it may be anybody.
struct Concerned {
  std::set<std::string> names;
  std::set<std::string> hosts;

  void Add(const EndName& end) {
    names.insert(end.name);
    if (!end.host.empty()) hosts.insert(end.host);
  }
};

// Adds the losses, damage and silent agents around what was loaded that concern these. `add` is how
// a loss counts for what the answer is made of.
using LossAdder = void (CompletenessSum::*)(const model::Loss&);
void AddAround(const QueryContext& context, const LoadedEdges& loaded, const Range& range,
               const Concerned& concerned, LossAdder add, CompletenessSum& completeness);

// Adds what is missing from an answer about the records that `filter` selects, of one tenant's
// edges: losses, damage, silent agents. `kind` is what the answer is made of; `edges` are those
// that it may concern (EdgesConcerned).
void AddMissing(const QueryContext& context, const LoadedEdges& loaded, const model::Filter& filter,
                model::RecordKind kind, const Range& range, const std::vector<MapEdge>& edges,
                CompletenessSum& completeness);

// The edges whose requests, or losses, may be among what the filter selects.
std::vector<MapEdge> EdgesConcerned(const EdgeGroups& groups, const model::Filter& filter,
                                    model::RecordKind kind);

// The names of the ends of a group; of these, as filters see them. Lifetime: the argument's.
model::EndNames NamesOf(const EdgeGroups::Ends& ends);
model::EndNames NamesOf(const EdgeGroup& group);

}  // namespace kindling::controller
