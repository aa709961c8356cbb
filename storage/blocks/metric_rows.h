#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <memory>
#include <vector>

#include "storage/blocks/histogram_model.h"
#include "storage/blocks/metric_block.h"
#include "storage/blocks/number_model.h"
#include "storage/blocks/series_times.h"
#include "storage/blocks/value_column.h"

namespace kindling::storage {

// The windows of metric series in a number stream. Made anew for each segment.
//
// Limits: the decoder fails rather than to make histograms of more than `max_buckets` buckets.
class MetricRows {
 public:
  explicit MetricRows(int64_t base_ns, uint64_t max_buckets = UINT64_MAX)
      : times_(base_ns), buckets_left_(max_buckets) {}
  uint64_t buckets_left() const { return buckets_left_; }

  // The windows of one series; the decoder replaces them, by at most `most`.
  template <typename Coder>
  void Code(Coder& coder, std::vector<MetricWindow>& windows, uint64_t most) {
    if constexpr (!Coder::kDecodes) {
      time_buffer_.clear();
      for (const MetricWindow& window : windows) time_buffer_.push_back(window.time_ns);
    }
    times_.Code(coder, time_buffer_, most);
    if (!coder.ok()) return;
    if constexpr (Coder::kDecodes) {
      windows.assign(time_buffer_.size(), {});
      for (size_t i = 0; i < windows.size(); ++i) windows[i].time_ns = time_buffer_[i];
    }
    bool plain = false;
    bool histograms = false;
    if constexpr (!Coder::kDecodes) {
      plain = std::all_of(windows.begin(), windows.end(), IsPlain);
      histograms = std::any_of(windows.begin(), windows.end(), [](const MetricWindow& window) {
        return window.histogram.count() != 0;
      });
    }
    plain = plain_before_ = coder.Bit(plain_[plain_before_], plain);
    histograms = histograms_before_ = coder.Bit(histograms_[histograms_before_], histograms);

    CodeValues(coder, kSum, windows, &MetricWindow::sum);
    if (plain) {
      if constexpr (Coder::kDecodes) {
        for (MetricWindow& window : windows) SetPlain(window);
      }
    } else {
      CodeValues(coder, kLeast, windows, &MetricWindow::least);
      CodeValues(coder, kMost, windows, &MetricWindow::most);
      CodeValues(coder, kLast, windows, &MetricWindow::last);
      CodeCounts(coder, windows);
    }
    if (histograms) CodeHistograms(coder, windows);
  }

 private:
  // On disk, in this order.
  enum Column { kSum, kLeast, kMost, kLast, kColumns };

  static bool Same(double a, double b) {
    return std::bit_cast<uint64_t>(a) == std::bit_cast<uint64_t>(b);
  }
  // A point as it was sent.
  static bool IsPlain(const MetricWindow& window) {
    return window.count == 1 && window.last_ns == window.time_ns &&
           Same(window.sum, window.least) && Same(window.sum, window.most) &&
           Same(window.sum, window.last);
  }
  static void SetPlain(MetricWindow& window) {
    window.count = 1;
    window.last_ns = window.time_ns;
    window.least = window.most = window.last = window.sum;
  }

  template <typename Coder>
  void CodeValues(Coder& coder, Column column, std::vector<MetricWindow>& windows,
                  double MetricWindow::*field) {
    if (!coder.ok()) return;
    values_.resize(windows.size());
    if constexpr (!Coder::kDecodes) {
      for (size_t i = 0; i < windows.size(); ++i) values_[i] = windows[i].*field;
    }
    columns_[column].Code(coder, values_);
    if constexpr (Coder::kDecodes) {
      for (size_t i = 0; i < windows.size(); ++i) windows[i].*field = values_[i];
    }
  }

  // Numbers of points, and when the last was.
  template <typename Coder>
  void CodeCounts(Coder& coder, std::vector<MetricWindow>& windows) {
    NumberLevel count_level;
    NumberLevel last_level;
    for (size_t i = 0; i < windows.size() && coder.ok(); ++i) {
      MetricWindow& window = windows[i];
      window.count = count_before_ =
          counts_.CodeNear(coder, count_level, count_before_, window.count);
      const auto time = static_cast<uint64_t>(window.time_ns);
      after_before_ = last_times_.CodeNear(coder, last_level, after_before_,
                                           static_cast<uint64_t>(window.last_ns) - time);
      window.last_ns = static_cast<int64_t>(time + after_before_);
    }
  }

  template <typename Coder>
  void CodeHistograms(Coder& coder, std::vector<MetricWindow>& windows) {
    histogram_series_.Clear();
    NumberLevel level;
    MeanPredictor mean;
    for (size_t i = 0; i < windows.size() && coder.ok(); ++i) {
      if constexpr (!Coder::kDecodes) parts_->Take(windows[i].histogram);
      parts_->count = histogram_counts_.CodeNear(coder, level, mean.Expect(), parts_->count);
      mean.Add(parts_->count);
      if (parts_->count == 0) continue;
      histogram_model_.Code(coder, histogram_series_, *parts_);
      if constexpr (Coder::kDecodes) {
        const auto buckets = static_cast<uint64_t>(parts_->size);
        if (!coder.ok() || buckets > buckets_left_ || !parts_->Give(windows[i].histogram)) {
          return coder.Fail();
        }
        buckets_left_ -= buckets;
      }
    }
  }

  SeriesTimes times_;
  uint64_t buckets_left_;
  bool plain_before_ = true;
  bool histograms_before_ = false;
  BitModel plain_[2];
  BitModel histograms_[2];
  std::array<ValueColumn, kColumns> columns_;
  uint64_t count_before_ = 0;
  uint64_t after_before_ = 0;
  LevelModel counts_;
  LevelModel last_times_;
  LevelModel histogram_counts_;
  HistogramModel histogram_model_;
  HistogramSeries histogram_series_;
  std::unique_ptr<HistogramParts> parts_ = std::make_unique<HistogramParts>();
  std::vector<int64_t> time_buffer_;
  std::vector<double> values_;
};

}  // namespace kindling::storage
