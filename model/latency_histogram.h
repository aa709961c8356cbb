#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace kindling::model {

// A base-2 exponential histogram of durations at scale 4: bucket i counts values in
// (2^(i/16), 2^((i+1)/16)] ns, so a quantile is off by at most 2.2 %. Maps without loss to OTLP's
// exponential histogram (scale 4) and to Prometheus native histograms (schema 4); merging is exact.
// Source: OpenTelemetry metrics data model, "ExponentialHistogram".
//
// Limits: 16 buckets per power of two over 1 ns .. 2^63 ns, at most 1,008 buckets; only the range
//         between the smallest and the largest used bucket is held.
class LatencyHistogram {
 public:
  static constexpr int kScale = 4;
  static constexpr int kBucketsPerDoubling = 1 << kScale;
  static constexpr int kMaxBuckets = 63 * kBucketsPerDoubling;

  // Values <= 0 are counted apart, as OTLP's zero_count. `times` > 1 records a value repeatedly.
  void Record(int64_t value_ns, uint64_t times = 1);
  void Merge(const LatencyHistogram& other);

  uint64_t count() const { return count_; }
  uint64_t zero_count() const { return zero_count_; }
  // Sum of all recorded positive values, ns.
  uint64_t sum_ns() const { return sum_ns_; }
  // Exact extremes of the recorded values; 0 when empty.
  int64_t min_ns() const { return min_ns_; }
  int64_t max_ns() const { return max_ns_; }

  // The value below which a share `q` (0..1) of the values lie: the geometric middle of its bucket,
  // clamped to the recorded extremes. 0 when empty.
  double QuantileNs(double q) const;

  // Number of values <= `bound_ns`, for Prometheus classic buckets: exact when the bound is a
  // bucket boundary, else the values of the bucket that holds the bound count as below it.
  uint64_t CountAtMost(double bound_ns) const;

  // Wire and disk form: bucket index of counts()[0] and the counts from there on.
  int offset() const { return offset_; }
  std::span<const uint64_t> counts() const { return counts_; }

  // Rebuilds a histogram from its parts; false and unchanged when they are inconsistent (bucket out
  // of range, counts that overflow), for they may come from a hostile peer or a damaged disk.
  bool Assign(int offset, std::span<const uint64_t> counts, uint64_t zero_count, uint64_t sum_ns,
              int64_t min_ns, int64_t max_ns);

  // Bucket of a value >= 1: the i with 2^(i/16) < value <= 2^((i+1)/16), and 0 for 1.
  static int BucketOf(uint64_t value_ns);
  static double UpperBoundNs(int bucket);

  bool operator==(const LatencyHistogram&) const = default;

 private:
  uint64_t& Slot(int bucket);

  int offset_ = 0;
  std::vector<uint64_t> counts_;
  uint64_t count_ = 0;
  uint64_t zero_count_ = 0;
  uint64_t sum_ns_ = 0;
  int64_t min_ns_ = 0;
  int64_t max_ns_ = 0;
};

}  // namespace kindling::model
