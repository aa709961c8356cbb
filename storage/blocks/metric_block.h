#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
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

// What the texts of a block's series take when each series has its own.
inline constexpr size_t kMaxMetricBlockTextBytes = size_t{256} << 20;
// What the histograms of a block may have together, from first to last used: 512 MiB.
inline constexpr uint64_t kMaxMetricBlockBuckets = uint64_t{1} << 26;

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
// Labels are put in order, each name once with the first of its values; a run without windows is
// left out. The summary holds nothing but the time range and the number of windows; the filter
// holds the metric names and label pairs. Values come back with the same bits. A histogram comes
// back without zero counts at its ends; one whose counts add up to more than 2^64 - 1 is cut to
// that.
SealedBlock EncodeMetricBlock(std::vector<MetricRun> runs, const ZstdDictionaries& dictionaries);

// Asked once per series of a block; null: all.
using WantSeries = std::function<bool(const model::MetricSeries&)>;

// DATA_LOSS for bytes that EncodeMetricBlock cannot have made. Windows with start_ns <= time_ns <
// end_ns (INT64_MAX included if that is the end); series without any are left out. Decodes only the
// segments, of about 8,192 windows, in which a series is wanted.
// Limits: of one block, the above and the windows themselves.
absl::StatusOr<std::vector<MetricRun>> DecodeMetricBlock(std::string_view body,
                                                         const ZstdDictionaries& dictionaries,
                                                         const WantSeries& want = nullptr,
                                                         int64_t start_ns = INT64_MIN,
                                                         int64_t end_ns = INT64_MAX);

// The series alone, by the block's own label index, without their points.
absl::StatusOr<std::vector<model::MetricSeries>> DecodeMetricSeries(
    std::string_view body, const ZstdDictionaries& dictionaries);

// Values of one label in order, with the number of series that have each; no other label is read.
absl::StatusOr<std::vector<std::pair<std::string, uint64_t>>> DecodeLabelValues(
    std::string_view body, std::string_view label, const ZstdDictionaries& dictionaries);

// False when the filter says that no series of the block has this name and all these label pairs.
// An empty name means any. An unreadable filter says nothing: true.
bool MetricFilterMayMatch(std::string_view filter, std::string_view name,
                          const std::vector<std::pair<std::string, std::string>>& labels);

// A point as it was sent, in a window of its own.
MetricWindow WindowOf(const model::MetricPoint& point);

// Labels by name, each name once, with the first of its values.
void SortLabels(model::MetricSeries& series);

// Merges `later` into `window`, whose time stays; a window without points has no part in it.
// Commutative. Associative but for `sum`, which is a double and rounded at each step,
// unless it is whole to 15 digits. So sums are exact, in any order, of whole
// numbers while they stay below 2^53 and of decimal fractions of one sign while they have at most
// 15 digits; of others they are off by at most one part in 10^15 for each step, and that depends on
// the order. A NaN is never the least or most if there is a number, and a sum that is not a number
// is always the same one.
void MergeWindow(MetricWindow& window, const MetricWindow& later);

// By time, those of equal times merged; the result depends on no order of theirs.
void JoinWindows(std::vector<MetricWindow>& windows);

}  // namespace kindling::storage
