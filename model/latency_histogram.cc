#include "model/latency_histogram.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

namespace kindling::model {
namespace {

constexpr uint64_t kMantissaMask = (uint64_t{1} << 52) - 1;

// Upper bounds of the 16 buckets of one doubling, as the 52 mantissa bits of 2^(k/16).
std::array<uint64_t, 17> MakeMantissas() {
  std::array<uint64_t, 17> bounds{};
  for (int k = 0; k < 16; ++k) {
    bounds[k] = std::bit_cast<uint64_t>(std::exp2(k / 16.0)) & kMantissaMask;
  }
  bounds[16] = kMantissaMask + 1;
  return bounds;
}
const std::array<uint64_t, 17> kMantissas = MakeMantissas();

}  // namespace

int LatencyHistogram::BucketOf(uint64_t value_ns) {
  if (value_ns <= 1) return 0;
  const auto bits = std::bit_cast<uint64_t>(static_cast<double>(value_ns));
  const int exponent = static_cast<int>(bits >> 52) - 1023;
  const uint64_t mantissa = bits & kMantissaMask;
  // Upper bounds are inclusive: a power of two belongs to the bucket that ends there.
  if (mantissa == 0) return std::min(exponent * kBucketsPerDoubling - 1, kMaxBuckets - 1);
  const auto above = std::lower_bound(kMantissas.begin() + 1, kMantissas.end(), mantissa);
  const int sub = static_cast<int>(above - kMantissas.begin()) - 1;
  return std::min(exponent * kBucketsPerDoubling + sub, kMaxBuckets - 1);
}

double LatencyHistogram::UpperBoundNs(int bucket) {
  return std::exp2(static_cast<double>(bucket + 1) / kBucketsPerDoubling);
}

uint64_t& LatencyHistogram::Slot(int bucket) {
  if (counts_.empty()) {
    offset_ = bucket;
    counts_.resize(1);
  } else if (bucket < offset_) {
    counts_.insert(counts_.begin(), offset_ - bucket, 0);
    offset_ = bucket;
  } else if (bucket >= offset_ + static_cast<int>(counts_.size())) {
    counts_.resize(bucket - offset_ + 1);
  }
  return counts_[bucket - offset_];
}

void LatencyHistogram::Record(int64_t value_ns, uint64_t times) {
  if (times == 0) return;
  min_ns_ = count_ == 0 ? value_ns : std::min(min_ns_, value_ns);
  max_ns_ = count_ == 0 ? value_ns : std::max(max_ns_, value_ns);
  count_ += times;
  if (value_ns <= 0) {
    zero_count_ += times;
    return;
  }
  sum_ns_ += static_cast<uint64_t>(value_ns) * times;
  Slot(BucketOf(static_cast<uint64_t>(value_ns))) += times;
}

void LatencyHistogram::Merge(const LatencyHistogram& other) {
  if (other.count_ == 0) return;
  min_ns_ = count_ == 0 ? other.min_ns_ : std::min(min_ns_, other.min_ns_);
  max_ns_ = count_ == 0 ? other.max_ns_ : std::max(max_ns_, other.max_ns_);
  count_ += other.count_;
  zero_count_ += other.zero_count_;
  sum_ns_ += other.sum_ns_;
  const auto is_used = [](uint64_t count) { return count != 0; };
  const auto first = std::find_if(other.counts_.begin(), other.counts_.end(), is_used);
  if (first == other.counts_.end()) return;
  const auto last = std::find_if(other.counts_.rbegin(), other.counts_.rend(), is_used).base();
  const int bucket = other.offset_ + static_cast<int>(first - other.counts_.begin());
  // Makes room for all at once.
  Slot(bucket + static_cast<int>(last - first) - 1);
  uint64_t* const to = &Slot(bucket);
  for (auto it = first; it != last; ++it) to[it - first] += *it;
}

double LatencyHistogram::QuantileNs(double q) const {
  if (count_ == 0) return 0;
  const double rank = std::clamp(q, 0.0, 1.0) * static_cast<double>(count_);
  auto seen = static_cast<double>(zero_count_);
  if (zero_count_ > 0 && seen >= rank) return 0;
  for (size_t i = 0; i < counts_.size(); ++i) {
    seen += static_cast<double>(counts_[i]);
    if (counts_[i] != 0 && seen >= rank) {
      const double bucket = offset_ + static_cast<double>(i);
      const double middle = std::exp2((bucket + 0.5) / kBucketsPerDoubling);
      return std::clamp(middle, static_cast<double>(min_ns_), static_cast<double>(max_ns_));
    }
  }
  return static_cast<double>(max_ns_);
}

uint64_t LatencyHistogram::CountAtMost(double bound_ns) const {
  uint64_t total = bound_ns >= 0 ? zero_count_ : 0;
  if (bound_ns < 1) return total;
  const int last = BucketOf(static_cast<uint64_t>(std::min(bound_ns, 9.2e18)));
  for (size_t i = 0; i < counts_.size() && offset_ + static_cast<int>(i) <= last; ++i) {
    total += counts_[i];
  }
  return total;
}

bool LatencyHistogram::Assign(int offset, std::span<const uint64_t> counts, uint64_t zero_count,
                              uint64_t sum_ns, int64_t min_ns, int64_t max_ns) {
  if (offset < 0 || counts.size() > kMaxBuckets ||
      offset > kMaxBuckets - static_cast<int>(counts.size()) || min_ns > max_ns) {
    return false;
  }
  uint64_t total = zero_count;
  for (const uint64_t count : counts) {
    if (count > UINT64_MAX - total) return false;
    total += count;
  }
  offset_ = offset;
  counts_.assign(counts.begin(), counts.end());
  zero_count_ = zero_count;
  count_ = total;
  sum_ns_ = sum_ns;
  min_ns_ = min_ns;
  max_ns_ = max_ns;
  return true;
}

}  // namespace kindling::model
