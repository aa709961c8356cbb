#include "storage/rollup.h"

#include <algorithm>
#include <map>
#include <utility>

namespace kindling::storage {

std::vector<EdgeRow> RollUpEdges(const std::vector<EdgeRow>& rows, size_t series, int64_t step_ns,
                                 EdgeSums& sums) {
  std::vector<EdgeRow> result = rows;
  for (EdgeRow& row : result) {
    if (row.window_ns > step_ns) continue;
    row.start_ns = AlignDown(row.start_ns, step_ns);
    row.window_ns = step_ns;
  }
  JoinEdgeRows(result, series, sums);
  return result;
}

namespace {

// By place: a row of the series, for what names it.
std::vector<const model::EdgeStats*> NamesOf(const EdgeSeries& series) {
  std::vector<const model::EdgeStats*> names(series.size());
  for (uint32_t i = 0; i < series.size(); ++i) names[series.Place(i)] = &series.row(i);
  return names;
}

bool SameFlow(const SeriesIds& a, const SeriesIds& b) {
  return a.observer == b.observer && a.server == b.server && a.client == b.client &&
         a.protocol == b.protocol && a.transport == b.transport;
}

}  // namespace

std::vector<model::EdgeStats> FlowsOf(const std::vector<EdgeRow>& rows, const EdgeSeries& series) {
  const std::vector<const model::EdgeStats*> names = NamesOf(series);
  const std::vector<SeriesIds>& ids = series.series();
  std::vector<model::EdgeStats> result;
  // Series of one flow follow one another. By window: its place in the result.
  std::map<std::pair<int64_t, int64_t>, size_t> windows;
  uint32_t last = 0;
  for (const EdgeRow& row : rows) {
    if (!SameFlow(ids[row.series], ids[std::exchange(last, row.series)])) windows.clear();
    const auto [it, is_new] = windows.try_emplace({row.start_ns, row.window_ns}, result.size());
    if (is_new) {
      const model::EdgeStats& name = *names[row.series];
      result.push_back({.window_start_ns = row.start_ns,
                        .window_ns = row.window_ns,
                        .observer = name.observer,
                        .client = name.client,
                        .server = name.server,
                        .protocol = name.protocol,
                        .transport = name.transport});
    }
    model::EdgeStats& flow = result[it->second];
    flow.count += row.numbers->count;
    flow.connections += row.numbers->connections;
    flow.connect_failures += row.numbers->connect_failures;
    flow.lost += row.numbers->lost;
  }
  return result;
}

std::vector<model::EdgeStats> RollUpEdges(const std::vector<model::EdgeStats>& rows,
                                          int64_t step_ns) {
  EdgeSeries names;
  EdgeSums sums;
  std::vector<model::EdgeStats> result;
  const std::vector<EdgeRow> named = NameEdgeRows(rows, names, sums);
  const std::vector<const model::EdgeStats*> of = NamesOf(names);
  for (const EdgeRow& row : RollUpEdges(named, names.size(), step_ns, sums)) {
    const model::EdgeStats& name = *of[row.series];
    model::EdgeStats& out = result.emplace_back(*row.numbers);
    out.window_start_ns = row.start_ns;
    out.window_ns = row.window_ns;
    out.observer = name.observer;
    out.client = name.client;
    out.server = name.server;
    out.protocol = name.protocol;
    out.transport = name.transport;
    out.endpoint = name.endpoint;
    out.outcome = name.outcome;
    out.status_code = name.status_code;
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
