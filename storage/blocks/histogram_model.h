#pragma once

#include <array>
#include <cstdint>

#include "model/latency_histogram.h"
#include "storage/blocks/number_model.h"

namespace kindling::storage {

// A histogram taken apart. Zero counts at both ends are no part of it.
struct HistogramParts {
  uint64_t count = 0;  // of all values; 0: nothing else means anything
  uint64_t zero_count = 0;
  uint64_t sum_ns = 0;
  int64_t min_ns = 0;
  int64_t max_ns = 0;
  int first = 0;  // bucket of counts[0]
  int size = 0;
  std::array<uint64_t, model::LatencyHistogram::kMaxBuckets> counts;

  // Counts that add up to more than 2^64 - 1 are cut.
  void Take(const model::LatencyHistogram& histogram);
  // False: inconsistent.
  bool Give(model::LatencyHistogram& histogram) const;
};

// The least value of each bucket, and one more; a bucket without whole numbers has its neighbour's.
const std::array<uint64_t, model::LatencyHistogram::kMaxBuckets + 1>& BucketFloors();

// How the values of one series have been spread over the buckets so far.
class BucketShares {
 public:
  void Clear();
  void Add(const HistogramParts& parts);
  uint64_t Sum(int first, int last) const;
  uint64_t operator[](int bucket) const { return weights_[bucket + kMargin]; }

 private:
  static constexpr int kMargin = 2;
  static constexpr int kBuckets = model::LatencyHistogram::kMaxBuckets;

  std::array<uint32_t, kBuckets + 2 * kMargin> weights_{};
  uint64_t total_ = 0;
  int rows_ = 0;
  int low_ = kBuckets;  // no weight outside low_ .. high_
  int high_ = 0;
};

// What one series knows of its histograms.
struct HistogramSeries {
  NumberLevel first_level;
  NumberLevel span_level;
  MeanPredictor first;
  MeanPredictor span;
  BucketShares shares;

  void Clear() {
    first_level = span_level = {};
    first = span = {};
    shares.Clear();
  }
};

// Histograms in a number stream: the count is coded by the caller.
class HistogramModel {
 public:
  // Everything but parts.count, which is not 0. The decoder fails on what cannot be.
  template <typename Coder>
  void Code(Coder& coder, HistogramSeries& series, HistogramParts& parts);

 private:
  template <typename Coder>
  void CodeOdd(Coder& coder, HistogramParts& parts);
  template <typename Coder>
  int64_t CodeWithin(Coder& coder, int bucket, int64_t value);
  template <typename Coder>
  void CodeCounts(Coder& coder, HistogramSeries& series, HistogramParts& parts);
  template <typename Coder>
  uint64_t CodeCount(Coder& coder, bool known, uint64_t expected, uint64_t near, uint64_t value);

  static bool IsPlain(const HistogramParts& parts);

  // Sixteenths of a count, in steps that grow.
  static int Step(uint64_t sixteenths) {
    if (sixteenths < 4) return static_cast<int>(sixteenths);
    const int length = BitLength(sixteenths);
    return (length - 1) * 2 + static_cast<int>((sixteenths >> (length - 2)) & 1);
  }
  static constexpr int kSmall = 128;  // in sixteenths: expected counts that are coded in unary
  static constexpr int kSteps = 14;   // Step(kSmall - 1) is 13
  static constexpr int kNear = 5;
  static constexpr int kLongest = 15;  // unary

  BitModel odd_;
  LevelModel first_;
  LevelModel span_;
  NumberModel<65> sums_;
  std::array<BitModel, kSteps * kLongest> known_;
  std::array<BitModel, kSteps * kNear * kLongest> guessed_;
  NumberModel<1> beyond_;
  NumberModel<160> large_;
  NumberModel<6> odd_numbers_;
};

template <typename Coder>
void HistogramModel::Code(Coder& coder, HistogramSeries& series, HistogramParts& parts) {
  bool odd = false;
  if constexpr (!Coder::kDecodes) odd = !IsPlain(parts);
  if (coder.Bit(odd_, odd)) return CodeOdd(coder, parts);

  parts.zero_count = 0;
  const uint64_t first = first_.CodeNear(coder, series.first_level, series.first.Expect(),
                                         static_cast<uint64_t>(parts.first));
  if (first >= model::LatencyHistogram::kMaxBuckets) return coder.Fail();
  series.first.Add(first);
  parts.first = static_cast<int>(first);
  parts.min_ns = CodeWithin(coder, parts.first, parts.min_ns);
  if (parts.count == 1) {
    parts.size = 1;
    parts.counts[0] = 1;
    parts.max_ns = parts.min_ns;
    parts.sum_ns = static_cast<uint64_t>(parts.min_ns);
    series.shares.Add(parts);
    return;
  }

  const uint64_t size = 1 + span_.CodeNear(coder, series.span_level, series.span.Expect(),
                                           static_cast<uint64_t>(parts.size - 1));
  if (size == 0 || size > model::LatencyHistogram::kMaxBuckets - first) return coder.Fail();
  series.span.Add(size - 1);
  parts.size = static_cast<int>(size);
  parts.max_ns = CodeWithin(coder, parts.first + parts.size - 1, parts.max_ns);
  if (parts.max_ns < parts.min_ns) return coder.Fail();
  CodeCounts(coder, series, parts);
  if (!coder.ok()) return;

  if (parts.count == 2) {
    parts.sum_ns = static_cast<uint64_t>(parts.min_ns) + static_cast<uint64_t>(parts.max_ns);
  } else {
    uint64_t expected = static_cast<uint64_t>(parts.min_ns) + static_cast<uint64_t>(parts.max_ns);
    for (int i = 0; i < parts.size; ++i) {
      uint64_t count = parts.counts[i];
      if (count == 0) continue;
      if (i == 0) --count;
      if (i == parts.size - 1) --count;
      const auto& floors = BucketFloors();
      const uint64_t low = floors[parts.first + i];
      const uint64_t high = floors[parts.first + i + 1];
      expected += count * (low + (high - low) / 2);
    }
    // Values are spread evenly within their buckets, of 4 % width.
    const int context = std::clamp(BitLength(expected) - 5 - BitLength(parts.count) / 2, 0, 64);
    const uint64_t bits =
        sums_.Code(coder, context, ZigZag(static_cast<int64_t>(parts.sum_ns - expected)));
    parts.sum_ns = expected + static_cast<uint64_t>(UnZigZag(bits));
  }
  series.shares.Add(parts);
}

// What no recording makes, or values that are not positive.
template <typename Coder>
void HistogramModel::CodeOdd(Coder& coder, HistogramParts& parts) {
  parts.zero_count = odd_numbers_.Code(coder, 0, parts.zero_count);
  parts.sum_ns = odd_numbers_.Code(coder, 1, parts.sum_ns);
  parts.min_ns = UnZigZag(odd_numbers_.Code(coder, 2, ZigZag(parts.min_ns)));
  parts.max_ns = UnZigZag(odd_numbers_.Code(coder, 3, ZigZag(parts.max_ns)));
  parts.first = static_cast<int>(coder.Direct(static_cast<uint64_t>(parts.first), 10));
  parts.size = static_cast<int>(coder.Direct(static_cast<uint64_t>(parts.size), 10));
  if (parts.first + parts.size > model::LatencyHistogram::kMaxBuckets) return coder.Fail();
  uint64_t left = parts.count;
  for (int i = 0; i < parts.size && coder.ok(); ++i) {
    uint64_t count = 0;
    if constexpr (!Coder::kDecodes) count = parts.counts[i];
    parts.counts[i] = count = odd_numbers_.Code(coder, 4, count);
    if (count > left) return coder.Fail();
    left -= count;
  }
  if (left != parts.zero_count) coder.Fail();
}

template <typename Coder>
int64_t HistogramModel::CodeWithin(Coder& coder, int bucket, int64_t value) {
  const uint64_t low = BucketFloors()[bucket];
  const uint64_t width = BucketFloors()[bucket + 1] - low;
  if (width == 0) {
    coder.Fail();
    return 0;
  }
  const uint64_t within = coder.Direct(static_cast<uint64_t>(value) - low, BitLength(width - 1));
  if (within >= width) coder.Fail();
  return static_cast<int64_t>(low + within);
}

// At least one value lies at each end; the last bucket has what the others leave.
template <typename Coder>
void HistogramModel::CodeCounts(Coder& coder, HistogramSeries& series, HistogramParts& parts) {
  const int last = parts.size - 1;
  if (last == 0) {
    parts.counts[0] = parts.count;
    return;
  }
  uint64_t left = parts.count - 2;
  uint64_t weights = series.shares.Sum(parts.first, parts.first + last);
  const bool known = weights > 0;
  uint64_t near = 0;  // the two before
  for (int i = 0; i < last && coder.ok(); ++i) {
    const uint64_t implied = i == 0 ? 1 : 0;
    uint64_t count = 0;
    if constexpr (!Coder::kDecodes) count = parts.counts[i] - implied;
    if (left > 0) {
      uint64_t expected = 0;
      const int shift = std::max(0, BitLength(left) - 28);
      if (known) {
        const uint64_t weight = series.shares[parts.first + i];
        if (weights > 0) expected = ((left >> shift) * 16 * weight / weights) << shift;
        weights -= weight;
      } else {
        expected = ((left >> shift) * 16 / static_cast<uint64_t>(last + 1 - i)) << shift;
      }
      count = CodeCount(coder, known, expected, near, count);
      if (count > left) return coder.Fail();
      left -= count;
    }
    near = near / 2 + std::min<uint64_t>(count, 1 << 20) * 8;
    parts.counts[i] = count + implied;
  }
  parts.counts[last] = left + 1;
}

template <typename Coder>
uint64_t HistogramModel::CodeCount(Coder& coder, bool known, uint64_t expected, uint64_t near,
                                   uint64_t value) {
  if (expected >= kSmall) {
    const uint64_t mean = expected / 16;
    const int context = std::min(Step(expected) - kSteps, 79) + (known ? 0 : 80);
    const uint64_t bits = large_.Code(coder, context, ZigZag(static_cast<int64_t>(value - mean)));
    return mean + static_cast<uint64_t>(UnZigZag(bits));
  }
  BitModel* models = &known_[Step(expected) * kLongest];
  if (!known) {
    const int close = near == 0 ? 0 : near < 8 ? 1 : near < 16 ? 2 : near < 40 ? 3 : 4;
    models = &guessed_[(Step(expected) * kNear + close) * kLongest];
  }
  for (uint64_t i = 0; i < kLongest; ++i) {
    if (!coder.Bit(models[i], value > i)) return i;
  }
  return kLongest + beyond_.Code(coder, 0, value - kLongest);
}

}  // namespace kindling::storage
