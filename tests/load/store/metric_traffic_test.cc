#include "tests/load/store/metric_traffic.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <set>
#include <vector>

namespace kindling::load {
namespace {

MetricTrafficOptions Small() {
  MetricTrafficOptions options;
  options.series = 2000;
  options.hosts = 5;
  return options;
}

TEST(MetricTrafficTest, TheSameSeedGivesTheSamePoints) {
  MetricTraffic a(Small());
  MetricTraffic b(Small());
  MetricTrafficOptions other = Small();
  other.seed = 2;
  MetricTraffic c(other);
  for (int i = 0; i < 5; ++i) {
    const auto batches = a.NextStep();
    EXPECT_TRUE(batches == b.NextStep());
    EXPECT_FALSE(batches == c.NextStep());
  }
}

TEST(MetricTrafficTest, EverySeriesHasOnePointAStep) {
  MetricTraffic traffic(Small());
  std::set<model::MetricSeries> series;
  for (int step = 0; step < 3; ++step) {
    const int64_t time_ns = traffic.now_ns();
    size_t points = 0;
    for (const model::Batch& batch : traffic.NextStep()) {
      EXPECT_EQ(batch.points.size(), batch.series.size());
      for (const model::MetricPoint& point : batch.points) {
        EXPECT_EQ(point.time_ns, time_ns);
        series.insert(batch.series.at(point.series));
        ++points;
      }
    }
    EXPECT_EQ(points, 2000u);
  }
  EXPECT_EQ(series.size(), 2000u);
}

TEST(MetricTrafficTest, ShapesAreAsStated) {
  MetricTrafficOptions options = Small();
  MetricTraffic traffic(options);
  constexpr int kSteps = 200;
  std::map<model::MetricSeries, std::vector<double>> values;
  for (int step = 0; step < kSteps; ++step) {
    for (const model::Batch& batch : traffic.NextStep()) {
      for (const auto& point : batch.points)
        values[batch.series[point.series]].push_back(point.value);
    }
  }
  double counters = 0;
  double idle = 0;
  double whole = 0;
  double slow = 0;
  double count_changes = 0;
  double slow_changes = 0;
  for (const auto& [series, points] : values) {
    double sum = 0;
    double changes = 0;
    bool fraction = false;
    for (size_t i = 0; i < points.size(); ++i) {
      EXPECT_GE(points[i], 0);
      sum += points[i];
      fraction = fraction || points[i] != std::floor(points[i]);
      changes += i > 0 && points[i] != points[i - 1] ? 1 : 0;
    }
    if (series.kind == model::MetricKind::kDelta) {
      EXPECT_FALSE(fraction);
      ++counters;
      idle += sum == 0 ? 1 : 0;
    } else if (fraction) {
      ++slow;
      slow_changes += changes / kSteps;
    } else {
      ++whole;
      count_changes += changes / kSteps;
    }
  }
  EXPECT_NEAR(counters / 2000, 0.5, 0.04);
  EXPECT_NEAR(idle / counters, options.idle_share, 0.05);
  EXPECT_NEAR(whole / 2000, options.count_gauges, 0.04);
  EXPECT_NEAR(slow / 2000, options.slow_gauges, 0.04);
  EXPECT_NEAR(slow_changes / slow, options.slow_change_share, 0.02);
  // A change by less than a half is none.
  EXPECT_GT(count_changes / whole, 0.25);
  EXPECT_LT(count_changes / whole, options.count_step_share);
}

}  // namespace
}  // namespace kindling::load
