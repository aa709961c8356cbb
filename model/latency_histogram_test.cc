#include "model/latency_histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

namespace kindling::model {
namespace {

TEST(LatencyHistogram, BucketsAgreeWithTheLogarithm) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 100'000; ++i) {
    const uint64_t value = (random() >> 1 >> (random() % 50)) | 2;
    if (std::has_single_bit(value) || value > (uint64_t{1} << 52)) continue;
    const int expected =
        static_cast<int>(std::ceil(std::log2(static_cast<long double>(value)) * 16)) - 1;
    EXPECT_EQ(LatencyHistogram::BucketOf(value), expected) << value;
  }
  EXPECT_EQ(LatencyHistogram::BucketOf(1024), 159);  // upper bounds are inclusive
  EXPECT_EQ(LatencyHistogram::BucketOf(1025), 160);
  EXPECT_EQ(LatencyHistogram::BucketOf(UINT64_MAX), LatencyHistogram::kMaxBuckets - 1);
}

TEST(LatencyHistogram, QuantilesStayWithinTheStatedError) {
  std::mt19937_64 random(7);
  std::lognormal_distribution<double> latency(std::log(2e6), 1.5);
  LatencyHistogram histogram;
  std::vector<int64_t> values;
  for (int i = 0; i < 100'000; ++i) {
    values.push_back(static_cast<int64_t>(latency(random)) + 1);
    histogram.Record(values.back());
  }
  std::sort(values.begin(), values.end());
  for (const double q : {0.5, 0.9, 0.95, 0.99, 0.999}) {
    const auto exact = static_cast<double>(values[static_cast<size_t>(q * values.size())]);
    EXPECT_NEAR(histogram.QuantileNs(q) / exact, 1.0, 0.025) << q;
  }
}

TEST(LatencyHistogram, MergeEqualsRecordingEverything) {
  std::mt19937_64 random(3);
  LatencyHistogram all, left, right;
  for (int i = 0; i < 5'000; ++i) {
    const auto value = static_cast<int64_t>(random() >> 1 >> (random() % 60));
    all.Record(value);
    (i % 3 == 0 ? left : right).Record(value);
  }
  right.Merge(left);
  EXPECT_EQ(right, all);
}

TEST(LatencyHistogram, ZeroAndNegativeAreCountedApart) {
  LatencyHistogram histogram;
  histogram.Record(0);
  histogram.Record(-5);
  histogram.Record(100);
  EXPECT_EQ(histogram.count(), 3u);
  EXPECT_EQ(histogram.zero_count(), 2u);
  EXPECT_EQ(histogram.sum_ns(), 100u);
  EXPECT_EQ(histogram.QuantileNs(0.5), 0);
  EXPECT_EQ(histogram.QuantileNs(1.0), 100);
}

TEST(LatencyHistogram, AssignRefusesInconsistentParts) {
  LatencyHistogram histogram;
  const uint64_t counts[] = {1, 2};
  EXPECT_TRUE(histogram.Assign(10, counts, 0, 5, 1, 2));
  EXPECT_EQ(histogram.count(), 3u);
  EXPECT_FALSE(histogram.Assign(-1, counts, 0, 5, 1, 2));
  EXPECT_FALSE(histogram.Assign(LatencyHistogram::kMaxBuckets - 1, counts, 0, 5, 1, 2));
  const uint64_t overflow[] = {UINT64_MAX, 1};
  EXPECT_FALSE(histogram.Assign(0, overflow, 0, 5, 1, 2));
  EXPECT_FALSE(histogram.Assign(0, counts, 0, 5, 3, 2));
  EXPECT_EQ(histogram.count(), 3u);
}

}  // namespace
}  // namespace kindling::model
