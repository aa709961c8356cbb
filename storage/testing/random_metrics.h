#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_format.h"
#include "storage/blocks/metric_block.h"

namespace kindling::storage {

// Series and windows of every kind, from a seed.
class RandomMetrics {
 public:
  explicit RandomMetrics(uint64_t seed) : random_(seed) {}

  // Runs of different series, windows of different times, in order.
  std::vector<MetricRun> Runs(int most_series, int most_windows) {
    std::vector<MetricRun> runs;
    for (uint64_t i = Below(static_cast<uint64_t>(most_series) + 1); i > 0; --i) {
      MetricRun run;
      run.series = Series();
      run.series.labels.emplace_back("number", absl::StrFormat("%d", i));
      SortLabels(run.series);
      const uint64_t shape = Below(6);
      int64_t time_ns = 1'700'000'000'000'000'000 + 10 * kSecond * static_cast<int64_t>(Below(9));
      for (uint64_t n = 1 + Below(static_cast<uint64_t>(most_windows)); n > 0; --n) {
        time_ns += Below(8) != 0 ? 10 * kSecond : 1 + static_cast<int64_t>(Below(100 * kSecond));
        run.windows.push_back(Window(shape, time_ns));
      }
      runs.push_back(std::move(run));
    }
    return runs;
  }

  model::MetricSeries Series() {
    model::MetricSeries series;
    series.name = absl::StrFormat("metric_%d", Below(5));
    series.kind = static_cast<model::MetricKind>(Below(4));
    for (const char* label : {"endpoint", "host", "workload"}) {
      if (Below(4) != 0) series.labels.emplace_back(label, absl::StrFormat("value-%d", Below(9)));
    }
    return series;
  }

  MetricWindow Window(uint64_t shape, int64_t time_ns) {
    MetricWindow window;
    window.time_ns = time_ns;
    window.count = 1;
    window.last_ns = time_ns;
    window.sum = window.least = window.most = window.last = Value(shape);
    if (shape == 5) {
      window.count = Any();
      window.sum = Value(Below(5));
      window.least = Value(Below(5));
      window.most = Value(Below(5));
      window.last = Value(Below(5));
      window.last_ns = time_ns + static_cast<int64_t>(Any() >> 2);
    }
    if (shape == 0) {
      for (uint64_t n = Below(30); n > 0; --n) {
        window.histogram.Record(static_cast<int64_t>(Any() >> 8), 1 + Below(3));
      }
    }
    return window;
  }

  double Value(uint64_t shape) {
    switch (shape) {
      case 0:
        return 0;
      case 1:
        return static_cast<double>(Below(1000));
      case 2:
        return static_cast<double>(Below(100'000)) / 1000;
      case 3:
        return std::bit_cast<double>(random_());  // also what is not a number
      default:
        switch (Below(8)) {
          case 0:
            return -0.0;
          case 1:
            return std::numeric_limits<double>::infinity();
          case 2:
            return std::nan("7");
          case 3:
            return std::numeric_limits<double>::denorm_min();
          case 4:
            return std::numeric_limits<double>::lowest();
          default:
            return static_cast<double>(Any()) * (Below(2) == 0 ? 1 : -1);
        }
    }
  }

  uint64_t Below(uint64_t bound) { return random_() % bound; }
  uint64_t Any() { return random_() >> Below(64); }

  static constexpr int64_t kSecond = 1'000'000'000;

 private:
  std::mt19937_64 random_;
};

// Equal to the last bit.
inline bool SameBits(double a, double b) {
  return std::bit_cast<uint64_t>(a) == std::bit_cast<uint64_t>(b);
}
inline bool SameWindow(const MetricWindow& a, const MetricWindow& b) {
  return a.time_ns == b.time_ns && a.count == b.count && SameBits(a.sum, b.sum) &&
         SameBits(a.least, b.least) && SameBits(a.most, b.most) && SameBits(a.last, b.last) &&
         a.last_ns == b.last_ns && a.histogram == b.histogram;
}
inline bool SameRuns(const std::vector<MetricRun>& a, const std::vector<MetricRun>& b) {
  return std::equal(
      a.begin(), a.end(), b.begin(), b.end(), [](const MetricRun& x, const MetricRun& y) {
        return x.series == y.series && std::equal(x.windows.begin(), x.windows.end(),
                                                  y.windows.begin(), y.windows.end(), SameWindow);
      });
}

}  // namespace kindling::storage
