#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "model/records.h"
#include "storage/blocks/histogram_model.h"
#include "storage/blocks/number_model.h"
#include "storage/blocks/series_times.h"

namespace kindling::storage {

// The rows of EdgeStats series in a number stream: everything but what names the series. Made anew
// for each segment.
class EdgeRows {
 public:
  explicit EdgeRows(int64_t base_ns) : times_(base_ns) {}

  // The rows of one series. Encoder: `times`, `windows` and row(i) are given. Decoder: at most
  // `most` rows are read; row(i) is asked for the row to fill, done(i) called once it is.
  template <typename Coder, typename Row, typename Done>
  void Code(Coder& coder, std::vector<int64_t>& times, std::vector<int64_t>& windows, uint64_t most,
            Row row, Done done) {
    times_.Code(coder, times, most);
    if (!coder.ok()) return;
    windows.resize(times.size());
    CodeWindows(coder, windows);
    uint32_t used = 0;
    if constexpr (!Coder::kDecodes) {
      for (size_t i = 0; i < times.size(); ++i) used |= Used(row(i));
    }
    used = CodeUsed(coder, used);
    series_ = {};
    histogram_series_.Clear();
    for (size_t i = 0; i < times.size() && coder.ok(); ++i) {
      auto& stats = row(i);
      if constexpr (Coder::kDecodes) {
        stats.window_start_ns = times[i];
        stats.window_ns = windows[i];
      }
      CodeRow(coder, used, stats);
      if (coder.ok()) done(i);
    }
  }

 private:
  // On disk, in this order: never renumber, a further one goes to the end under a new version.
  enum Column {
    kCount,
    kSlowCount,
    kSentBytes,
    kReceivedBytes,
    kConnections,
    kConnectFailures,
    kConnectCount,
    kConnectSum,
    kLost,
    kLatency,
    kBlame,  // one for each cause
    kColumns = kBlame + model::kCauseCount,
  };

  // What is known of one series.
  struct ColumnState {
    NumberLevel level;
    MeanPredictor mean;
    RatioPredictor ratio;
  };

  static uint32_t Used(const model::EdgeStats& row) {
    uint32_t used = 0;
    const auto mark = [&used](int column, bool is) { used |= uint32_t{is} << column; };
    mark(kCount, row.count != 0);
    mark(kSlowCount, row.slow_count != 0);
    mark(kSentBytes, row.sent_bytes != 0);
    mark(kReceivedBytes, row.received_bytes != 0);
    mark(kConnections, row.connections != 0);
    mark(kConnectFailures, row.connect_failures != 0);
    mark(kConnectCount, row.connect_count != 0);
    mark(kConnectSum, row.connect_sum_ns != 0);
    mark(kLost, row.lost != 0);
    mark(kLatency, row.latency.count() != 0);
    for (size_t i = 0; i < model::kCauseCount; ++i) {
      mark(kBlame + static_cast<int>(i), row.blame.ns[i] != 0);
    }
    return used;
  }

  template <typename Coder>
  uint32_t CodeUsed(Coder& coder, uint32_t used) {
    uint32_t coded = 0;
    for (int i = 0; i < kColumns; ++i) {
      const bool before = (used_before_ >> i) & 1;
      coded |= uint32_t{coder.Bit(used_[i * 2 + before], (used >> i) & 1)} << i;
    }
    return used_before_ = coded;
  }

  template <typename Coder>
  void CodeWindows(Coder& coder, std::vector<int64_t>& windows) {
    bool even = false;
    if constexpr (!Coder::kDecodes) {
      even = std::all_of(windows.begin(), windows.end(),
                         [&](int64_t window) { return window == windows[0]; });
    }
    even = coder.Bit(even_window_, even);
    const size_t written = even ? 1 : windows.size();
    for (size_t i = 0; i < written && coder.ok(); ++i) {
      window_ = static_cast<int64_t>(windows_.CodeNear(
          coder, window_level_, static_cast<uint64_t>(window_), static_cast<uint64_t>(windows[i])));
      windows[i] = window_;
    }
    if (even) std::fill(windows.begin(), windows.end(), window_);
  }

  template <typename Coder>
  uint64_t CodeMean(Coder& coder, uint32_t used, int column, uint64_t value) {
    if (((used >> column) & 1) == 0) return 0;
    ColumnState& state = series_[column];
    value = columns_[column].CodeNear(coder, state.level, state.mean.Expect(), value);
    state.mean.Add(value);
    return value;
  }

  template <typename Coder>
  uint64_t CodeRatio(Coder& coder, uint32_t used, int column, uint64_t per, uint64_t value) {
    if (((used >> column) & 1) == 0) return 0;
    ColumnState& state = series_[column];
    value = columns_[column].CodeNear(coder, state.level, state.ratio.Expect(per), value);
    state.ratio.Add(per, value);
    return value;
  }

  // What is decoded goes into the row; what is encoded was read there.
  template <typename Coder, typename Field>
  static uint64_t Keep(Field& field, uint64_t value) {
    if constexpr (Coder::kDecodes) field = value;
    return value;
  }

  // Row is const for an encoder.
  template <typename Coder, typename Row>
  void CodeRow(Coder& coder, uint32_t used, Row& row) {
    const bool counted = (used >> kCount) & 1;
    const uint64_t count = Keep<Coder>(row.count, CodeMean(coder, used, kCount, row.count));
    const auto by_count = [&](Column column, auto& field) {
      Keep<Coder>(field, counted ? CodeRatio(coder, used, column, count, field)
                                 : CodeMean(coder, used, column, field));
    };
    by_count(kSlowCount, row.slow_count);
    by_count(kSentBytes, row.sent_bytes);
    by_count(kReceivedBytes, row.received_bytes);
    const auto by_mean = [&](Column column, auto& field) {
      Keep<Coder>(field, CodeMean(coder, used, column, field));
    };
    by_mean(kConnections, row.connections);
    by_mean(kConnectFailures, row.connect_failures);
    uint64_t connects = 0;
    if ((used >> kConnectCount) & 1) {
      connects = columns_[kConnectCount].CodeNear(coder, series_[kConnectCount].level,
                                                  row.connections + row.connect_failures,
                                                  row.connect_count);
    }
    Keep<Coder>(row.connect_count, connects);
    Keep<Coder>(row.connect_sum_ns,
                CodeRatio(coder, used, kConnectSum, connects, row.connect_sum_ns));
    by_mean(kLost, row.lost);
    uint64_t spent_ns = 0;
    if ((used >> kLatency) & 1) {
      CodeLatency(coder, count, row.latency);
      spent_ns = parts_->count == 0 ? 0 : parts_->sum_ns;
    } else if constexpr (Coder::kDecodes) {
      row.latency = {};
    }
    for (size_t i = 0; i < model::kCauseCount; ++i) {
      Keep<Coder>(row.blame.ns[i],
                  CodeRatio(coder, used, kBlame + static_cast<int>(i), spent_ns, row.blame.ns[i]));
    }
  }

  template <typename Coder, typename Histogram>
  void CodeLatency(Coder& coder, uint64_t near_count, Histogram& latency) {
    if constexpr (!Coder::kDecodes) parts_->Take(latency);
    parts_->count =
        columns_[kLatency].CodeNear(coder, series_[kLatency].level, near_count, parts_->count);
    if (parts_->count != 0) histograms_.Code(coder, histogram_series_, *parts_);
    if constexpr (Coder::kDecodes) {
      latency = {};
      if (coder.ok() && parts_->count != 0 && !parts_->Give(latency)) coder.Fail();
    }
  }

  SeriesTimes times_;
  BitModel even_window_;
  int64_t window_ = 0;
  NumberLevel window_level_;
  LevelModel windows_;
  uint32_t used_before_ = 0;
  std::array<BitModel, kColumns * 2> used_;
  std::array<LevelModel, kColumns> columns_;
  HistogramModel histograms_;
  std::array<ColumnState, kColumns> series_;
  HistogramSeries histogram_series_;
  std::unique_ptr<HistogramParts> parts_ = std::make_unique<HistogramParts>();
};

}  // namespace kindling::storage
