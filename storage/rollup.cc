#include "storage/rollup.h"

#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "storage/blocks/edge_block.h"

namespace kindling::storage {
namespace {

// What one row of the result is made of.
struct EdgeKey {
  const model::EdgeStats* row;
  int64_t start_ns;
  int64_t window_ns;

  bool operator==(const EdgeKey& other) const {
    return start_ns == other.start_ns && window_ns == other.window_ns &&
           SameEdgeSeries(*row, *other.row);
  }
  template <typename H>
  friend H AbslHashValue(H h, const EdgeKey& key) {
    const model::EdgeStats& row = *key.row;
    return H::combine(std::move(h), row.client, row.server, key.start_ns, key.window_ns,
                      row.observer, row.protocol, row.transport, row.endpoint, row.outcome,
                      row.status_code);
  }
};

// The same without what was asked.
struct FlowKey {
  const model::EdgeStats* row;
  int64_t start_ns;
  int64_t window_ns;

  bool operator==(const FlowKey& other) const {
    const model::EdgeStats& a = *row;
    const model::EdgeStats& b = *other.row;
    return start_ns == other.start_ns && window_ns == other.window_ns && a.observer == b.observer &&
           a.protocol == b.protocol && a.transport == b.transport && a.client == b.client &&
           a.server == b.server;
  }
  template <typename H>
  friend H AbslHashValue(H h, const FlowKey& key) {
    const model::EdgeStats& row = *key.row;
    return H::combine(std::move(h), row.client, row.server, key.start_ns, key.window_ns,
                      row.observer, row.protocol, row.transport);
  }
};

template <typename Key>
Key KeyOf(const model::EdgeStats& row, int64_t step_ns) {
  if (row.window_ns > step_ns) {
    return {.row = &row, .start_ns = row.window_start_ns, .window_ns = row.window_ns};
  }
  return {.row = &row, .start_ns = AlignDown(row.window_start_ns, step_ns), .window_ns = step_ns};
}

}  // namespace

std::vector<model::EdgeStats> FlowsOf(const std::vector<model::EdgeStats>& rows, int64_t step_ns) {
  std::vector<model::EdgeStats> result;
  absl::flat_hash_map<FlowKey, size_t> places;
  for (const model::EdgeStats& row : rows) {
    const auto key = KeyOf<FlowKey>(row, step_ns);
    const auto [it, added] = places.try_emplace(key, result.size());
    if (added) {
      result.push_back({.window_start_ns = key.start_ns,
                        .window_ns = key.window_ns,
                        .observer = row.observer,
                        .client = row.client,
                        .server = row.server,
                        .protocol = row.protocol,
                        .transport = row.transport});
    }
    model::EdgeStats& flow = result[it->second];
    flow.count += row.count;
    flow.connections += row.connections;
    flow.connect_failures += row.connect_failures;
    flow.lost += row.lost;
  }
  return result;
}

std::vector<model::EdgeStats> RollUpEdges(const std::vector<model::EdgeStats>& rows,
                                          int64_t step_ns) {
  std::vector<model::EdgeStats> result;
  absl::flat_hash_map<EdgeKey, size_t> places;
  for (const model::EdgeStats& row : rows) {
    const auto key = KeyOf<EdgeKey>(row, step_ns);
    const auto [it, added] = places.try_emplace(key, result.size());
    if (!added) {
      AddEdgeNumbers(result[it->second], row);
      continue;
    }
    result.push_back(row);
    result.back().window_start_ns = key.start_ns;
    result.back().window_ns = key.window_ns;
  }
  return result;
}

std::vector<MetricRun> RollUpMetrics(const std::vector<MetricRun>& runs, int64_t step_ns) {
  std::vector<const MetricRun*> order;
  for (const MetricRun& run : runs) order.push_back(&run);
  std::stable_sort(order.begin(), order.end(),
                   [](const MetricRun* a, const MetricRun* b) { return a->series < b->series; });
  std::vector<MetricRun> result;
  for (const MetricRun* run : order) {
    if (run->windows.empty()) continue;
    if (result.empty() || result.back().series != run->series) {
      result.push_back({.series = run->series});
    }
    std::vector<MetricWindow>& windows = result.back().windows;
    for (const MetricWindow& window : run->windows) {
      windows.push_back(window);
      windows.back().time_ns = AlignDown(window.time_ns, step_ns);
    }
  }
  for (MetricRun& run : result) JoinWindows(run.windows);
  return result;
}

}  // namespace kindling::storage
