#pragma once

#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "model/latency_histogram.h"
#include "model/records.h"
#include "storage/blocks/sealed_block.h"
#include "storage/blocks/zstd_dictionaries.h"

// Metric points in columns, by series: README.md draws the format.
namespace kindling::storage {

// Points that a full block has; an encoder takes up to twice as many.
inline constexpr size_t kMetricBlockPoints = 131'072;

// What a series was in one window. For a point as it was sent count is 1 and the five are the
// value.
struct MetricWindow {
  int64_t time_ns = 0;  // start of the window
  uint64_t count = 0;   // points
  double sum = 0;
  double least = 0;
  double most = 0;
  double last = 0;      // of the latest point
  int64_t last_ns = 0;  // its time
  model::LatencyHistogram histogram;
  bool operator==(const MetricWindow&) const = default;
};

struct MetricRun {
  model::MetricSeries series;
  std::vector<MetricWindow> windows;  // by time
};

// Runs of any series in any order; those of one series are joined, windows of equal time merged.
// The filter holds the metric names and label pairs.
SealedBlock EncodeMetricBlock(std::vector<MetricRun> runs, const ZstdDictionaries& dictionaries);

// Asked once per series of a block; null: all.
using WantSeries = std::function<bool(const model::MetricSeries&)>;

// DATA_LOSS for bytes that EncodeMetricBlock cannot have made.
absl::StatusOr<std::vector<MetricRun>> DecodeMetricBlock(std::string_view body,
                                                         const ZstdDictionaries& dictionaries,
                                                         const WantSeries& want = nullptr,
                                                         int64_t start_ns = INT64_MIN,
                                                         int64_t end_ns = INT64_MAX);

// The series alone, by the block's own label index, without their points.
absl::StatusOr<std::vector<model::MetricSeries>> DecodeMetricSeries(
    std::string_view body, const ZstdDictionaries& dictionaries);

// False when the filter says that no series of the block has this name and all these label pairs.
// An empty name means any.
bool MetricFilterMayMatch(std::string_view filter, std::string_view name,
                          const std::vector<std::pair<std::string, std::string>>& labels);

// Merges `later` into `window`, whose time stays.
void MergeWindow(MetricWindow& window, const MetricWindow& later);

}  // namespace kindling::storage
