#include "storage/blocks/histogram_model.h"

#include <algorithm>
#include <span>

namespace kindling::storage {
namespace {

using model::LatencyHistogram;

std::array<uint64_t, LatencyHistogram::kMaxBuckets + 1> MakeFloors() {
  std::array<uint64_t, LatencyHistogram::kMaxBuckets + 1> floors{};
  uint64_t floor = 1;
  for (int bucket = 0; bucket < LatencyHistogram::kMaxBuckets; ++bucket) {
    uint64_t high = uint64_t{1} << 63;
    uint64_t low = floor;
    while (low < high) {
      const uint64_t middle = low + (high - low) / 2;
      if (LatencyHistogram::BucketOf(middle) >= bucket) {
        high = middle;
      } else {
        low = middle + 1;
      }
    }
    floors[bucket] = floor = low;
  }
  floors[LatencyHistogram::kMaxBuckets] = uint64_t{1} << 63;
  return floors;
}

}  // namespace

const std::array<uint64_t, LatencyHistogram::kMaxBuckets + 1>& BucketFloors() {
  static const std::array<uint64_t, LatencyHistogram::kMaxBuckets + 1> floors = MakeFloors();
  return floors;
}

void HistogramParts::Take(const LatencyHistogram& histogram) {
  std::span<const uint64_t> from = histogram.counts();
  first = histogram.offset();
  while (!from.empty() && from.back() == 0) from = from.first(from.size() - 1);
  while (!from.empty() && from.front() == 0) {
    from = from.subspan(1);
    ++first;
  }
  size = static_cast<int>(from.size());
  if (size == 0) first = 0;
  zero_count = count = histogram.zero_count();
  for (int i = 0; i < size; ++i) {
    counts[i] = std::min(from[i], UINT64_MAX - count);
    count += counts[i];
  }
  sum_ns = histogram.sum_ns();
  min_ns = histogram.min_ns();
  max_ns = histogram.max_ns();
}

bool HistogramParts::Give(LatencyHistogram& histogram) const {
  return histogram.Assign(first, std::span(counts).first(static_cast<size_t>(size)), zero_count,
                          sum_ns, min_ns, max_ns);
}

void BucketShares::Clear() {
  if (low_ <= high_) {
    std::fill(weights_.begin() + low_, weights_.begin() + high_ + 2 * kMargin + 1, 0);
  }
  total_ = 0;
  rows_ = 0;
  low_ = kBuckets;
  high_ = 0;
}

void BucketShares::Add(const HistogramParts& parts) {
  low_ = std::min(low_, parts.first);
  high_ = std::max(high_, parts.first + parts.size - 1);
  const int shift = std::max(0, BitLength(parts.count) - 20);
  uint64_t added = 0;
  for (int i = 0; i < parts.size; ++i) {
    const auto count = static_cast<uint32_t>(parts.counts[i] >> shift);
    if (count == 0) continue;
    // A little of it to the neighbours.
    uint32_t* at = &weights_[parts.first + i];
    at[0] += count;
    at[1] += 2 * count;
    at[2] += 4 * count;
    at[3] += 2 * count;
    at[4] += count;
    added += 10 * uint64_t{count};
  }
  total_ += added;
  // What is older than about a hundred rows fades.
  if (++rows_ >= 64 || total_ > uint64_t{1} << 30) {
    rows_ = 0;
    total_ = 0;
    for (int i = low_; i <= high_ + 2 * kMargin; ++i) total_ += weights_[i] /= 2;
  }
}

uint64_t BucketShares::Sum(int first, int last) const {
  uint64_t sum = 0;
  for (int i = std::max(first, low_ - kMargin); i <= std::min(last, high_ + kMargin); ++i) {
    sum += (*this)[i];
  }
  return sum;
}

bool HistogramModel::IsPlain(const HistogramParts& parts) {
  if (parts.zero_count != 0 || parts.size == 0 || parts.min_ns < 1) return false;
  if (parts.counts[0] == 0 || parts.counts[parts.size - 1] == 0) return false;
  const int last = parts.first + parts.size - 1;
  if (LatencyHistogram::BucketOf(static_cast<uint64_t>(parts.min_ns)) != parts.first ||
      LatencyHistogram::BucketOf(static_cast<uint64_t>(parts.max_ns)) != last) {
    return false;
  }
  const auto min = static_cast<uint64_t>(parts.min_ns);
  const auto max = static_cast<uint64_t>(parts.max_ns);
  if (parts.count == 1) return min == max && parts.sum_ns == min;
  return parts.count > 2 || parts.sum_ns == min + max;
}

}  // namespace kindling::storage
