#include "storage/engine/metric_runs.h"

#include <utility>

#include "storage/align.h"
#include "storage/engine/bucket_id.h"

namespace kindling::storage {

std::vector<MetricRun> RunsOf(const model::Batch& batch,
                              const std::function<bool(uint32_t series, int64_t time_ns)>& want) {
  constexpr size_t kNone = SIZE_MAX;
  std::vector<size_t> run_of(batch.series.size(), kNone);
  std::vector<MetricRun> out;
  for (const model::MetricPoint& point : batch.points) {
    if (!want(point.series, point.time_ns)) continue;
    size_t& run = run_of[point.series];
    if (run == kNone) {
      run = out.size();
      out.push_back({.series = batch.series[point.series], .windows = {}});
    }
    out[run].windows.push_back({.time_ns = point.time_ns,
                                .count = 1,
                                .sum = point.value,
                                .least = point.value,
                                .most = point.value,
                                .last = point.value,
                                .last_ns = point.time_ns,
                                .histogram = point.histogram});
  }
  return out;
}

std::map<int64_t, std::vector<MetricRun>> ByBucket(std::vector<MetricRun> runs, int64_t bucket_ns) {
  std::map<int64_t, std::vector<MetricRun>> out;
  for (MetricRun& run : runs) {
    std::map<int64_t, std::vector<MetricWindow>> parts;
    for (MetricWindow& window : run.windows) {
      parts[AlignDown(window.time_ns, bucket_ns)].push_back(std::move(window));
    }
    for (auto& [bucket, windows] : parts) {
      out[bucket].push_back({.series = run.series, .windows = std::move(windows)});
    }
  }
  return out;
}

}  // namespace kindling::storage
