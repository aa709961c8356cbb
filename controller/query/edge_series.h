#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "controller/query/completeness.h"
#include "controller/query/flow_cache.h"
#include "controller/query/loaded_edges.h"
#include "controller/query/query_context.h"
#include "controller/topology/edge_groups.h"
#include "model/edge_labels.h"
#include "model/filter.h"
#include "model/protocol.h"
#include "model/records.h"
#include "storage/blocks/metric_block.h"
#include "storage/store.h"

namespace kindling::v1 {
class Completeness;
class TimeRange;
}  // namespace kindling::v1

namespace kindling::controller {

// One edge and observer at one pair of addresses: what a filter can tell apart.
struct EdgeKey {
  EdgeGroups::Ends ends;
  model::Side observer = model::Side::kUnknown;
  std::string client_address;
  std::string server_address;
  uint16_t server_port = 0;
  auto operator<=>(const EdgeKey&) const = default;

  // "10.0.0.2:80"; empty where it is not known.
  std::string ServerAddressText() const;
};

// One question about what hangs on edges as metric series (model/edge_labels.h): reads them, names
// their ends as those of edges are named, tells which a filter selects and how complete that is.
//
//   ASSIGN_OR_RETURN(EdgeSeries series, EdgeSeries::Open(context, time, filter, kind));
//   RETURN_IF_ERROR(series.Visit(metrics, visit));    // sums by key
//   for each key: if (series.Selects(key, ...)) ...   // rows of the answer
//   series.WriteCompleteness(...);
//
// Threads:  one.
// Lifetime: `context` must outlive it.
// Limits:   kMaxKeys keys and kMaxRows rows; beyond them RESOURCE_EXHAUSTED says to ask for less.
class EdgeSeries {
 public:
  static constexpr size_t kMaxKeys = 50'000;
  static constexpr size_t kMaxRows = 20'000;

  // INVALID_ARGUMENT the filter or the range.
  static absl::StatusOr<EdgeSeries> Open(const QueryContext& context, const v1::TimeRange& time,
                                         const std::string& filter, model::RecordKind kind);

  // Which series: a regular expression over whole names of metrics; of what transport those are
  // that have no label of it (model::kTransportLabel).
  struct Metrics {
    const char* names;
    model::Transport transport;
  };
  // `key` is an index of keys().
  using Visitor = std::function<void(size_t key, const model::MetricSeries& series,
                                     const storage::MetricWindow& window)>;
  absl::Status Visit(const Metrics& metrics, const Visitor& visit);

  // What Visit has met, in that order.
  const EdgeKey& key(size_t index) const { return *keys_[index]; }
  size_t keys() const { return keys_.size(); }

  // Whether the answer has a key, with what passed between its ends from client to server and back;
  // to be asked once of each.
  bool Selects(const EdgeKey& key, double sent_bytes = 0, double received_bytes = 0);

  // After the last Selects(). `captured`: how many the answer is made of.
  void WriteCompleteness(double captured, v1::Completeness* out) const;
  // The same for an answer that is made of the requests of a protocol, as both ends saw them: those
  // lost on edges and what was lost of their bytes are missing from it. Requests of which one end
  // alone knows are not: the network may have lost them.
  void WriteRequestCompleteness(double captured, model::Protocol protocol,
                                v1::Completeness* out) const;

  // RESOURCE_EXHAUSTED beyond kMaxRows.
  static absl::Status CheckRows(size_t rows);

 private:
  EdgeSeries(const QueryContext& context, model::Filter filter, const Range& range,
             std::shared_ptr<const NamedFlows> flows);

  EdgeKey KeyOf(const model::EdgeEnds& ends, model::Transport transport, int64_t time_ns) const;
  absl::StatusOr<size_t> IndexOf(EdgeKey key);
  void Complete(double captured, LossAdder add, CompletenessSum& sum, v1::Completeness* out) const;

  const QueryContext* context_;
  model::Filter filter_;
  bool asks_ends_;
  Range range_;
  std::shared_ptr<const NamedFlows> flows_;
  int64_t step_ns_;  // of windows, as the store takes it
  std::map<EdgeKey, size_t> index_;
  std::vector<const EdgeKey*> keys_;  // of index_
  std::vector<storage::ScanReport> reports_;
  Concerned concerned_;
};

// Who and where, as every answer about edges has it.
template <typename Edge>
void WriteEnds(const EdgeKey& key, Edge* out) {
  out->set_client(key.ends.client.name);
  out->set_server(key.ends.server.name);
  out->set_observer(std::string(model::Name(key.observer)));
  out->set_client_kind(key.ends.client.kind);
  out->set_server_kind(key.ends.server.kind);
  out->set_server_address(key.ServerAddressText());
}

}  // namespace kindling::controller
