#include "storage/rollup.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

#include "storage/testing/random_batch.h"
#include "storage/testing/random_metrics.h"

namespace kindling::storage {
namespace {

using model::EdgeStats;

constexpr int64_t kSecond = 1'000'000'000;
constexpr int64_t kMinute = 60 * kSecond;
constexpr int64_t kHour = 60 * kMinute;

// Rows of few series, so that many fall together, around 1970.
std::vector<EdgeStats> SomeRows(uint64_t seed) {
  RandomRecords records(seed, -kHour);
  std::vector<EdgeStats> names;
  for (int i = 0; i < 4; ++i) names.push_back(records.Edge());
  std::vector<EdgeStats> rows;
  for (int i = 0; i < 400; ++i) {
    EdgeStats row = names[records.Below(4)];
    const EdgeStats numbers = records.Edge();
    row.window_start_ns = numbers.window_start_ns * 2;
    row.count = numbers.count;
    row.sent_bytes = numbers.sent_bytes;
    row.connect_sum_ns = numbers.connect_sum_ns;
    row.latency = numbers.latency;
    row.blame = numbers.blame;
    rows.push_back(row);
  }
  return rows;
}

template <typename T>
void Append(std::vector<T>& to, std::vector<T> from) {
  for (T& one : from) to.push_back(std::move(one));
}

TEST(RollupTest, AlignsDownAlsoBefore1970) {
  EXPECT_EQ(AlignDown(0, kMinute), 0);
  EXPECT_EQ(AlignDown(kMinute - 1, kMinute), 0);
  EXPECT_EQ(AlignDown(-1, kMinute), -kMinute);
  EXPECT_EQ(AlignDown(-kMinute, kMinute), -kMinute);
  EXPECT_EQ(AlignDown(INT64_MIN, kMinute), INT64_MIN);
}

TEST(RollupTest, FlowsCountWhatTheirRowsDoWithoutWhatWasAsked) {
  std::vector<EdgeStats> rows = SomeRows(1);
  for (size_t i = 0; i < rows.size(); ++i) {
    rows[i].client = rows[0].client;
    rows[i].server = rows[0].server;
    rows[i].observer = rows[0].observer;
    rows[i].protocol = rows[0].protocol;
    rows[i].transport = rows[0].transport;
    rows[i].endpoint = i % 2 == 0 ? "GET /" : "GET /*";
    rows[i].window_start_ns = static_cast<int64_t>(i % 6) * 10 * kSecond;
    rows[i].window_ns = 10 * kSecond;
    rows[i].count = rows[i].connections = rows[i].connect_failures = rows[i].lost = i;
  }
  const auto flows_of = [](const std::vector<EdgeStats>& from) {
    EdgeSeries series;
    EdgeSums sums;
    const std::vector<EdgeRow> named = NameEdgeRows(from, series, sums);
    return FlowsOf(named, series);
  };
  const std::vector<EdgeStats> minutes = RollUpEdges(rows, kMinute);
  EXPECT_GT(minutes.size(), 1);
  const std::vector<EdgeStats> flows = flows_of(minutes);
  const uint64_t all = rows.size() * (rows.size() - 1) / 2;
  const EdgeStats expected = {.window_start_ns = 0,
                              .window_ns = kMinute,
                              .observer = rows[0].observer,
                              .client = rows[0].client,
                              .server = rows[0].server,
                              .protocol = rows[0].protocol,
                              .transport = rows[0].transport,
                              .count = all,
                              .connections = all,
                              .connect_failures = all,
                              .lost = all};
  EXPECT_EQ(flows, std::vector<EdgeStats>{expected});
  EXPECT_EQ(flows_of(flows), flows);
  EXPECT_EQ(flows_of(rows).size(), 6);
}

TEST(RollupTest, EdgesInPartsAndStepsEqualEdgesAtOnce) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    std::vector<EdgeStats> rows = SomeRows(seed);
    const std::vector<EdgeStats> at_once = RollUpEdges(rows, kHour);
    std::vector<EdgeStats> parts;
    for (size_t i = 0; i < rows.size(); i += 37) {
      const auto end = std::min(rows.size(), i + 37);
      Append(parts, RollUpEdges({rows.begin() + static_cast<ptrdiff_t>(i),
                                 rows.begin() + static_cast<ptrdiff_t>(end)},
                                kMinute));
    }
    std::shuffle(parts.begin(), parts.end(), std::mt19937_64(seed));
    EXPECT_THAT(RollUpEdges(parts, kHour), testing::UnorderedElementsAreArray(at_once));
    EXPECT_EQ(RollUpEdges(at_once, kHour), at_once);
    uint64_t count = 0;
    for (const EdgeStats& row : rows) count += row.count;
    for (const EdgeStats& row : at_once) {
      count -= row.count;
      EXPECT_EQ(row.window_ns, kHour);
      EXPECT_EQ(AlignDown(row.window_start_ns, kHour), row.window_start_ns);
    }
    EXPECT_EQ(count, 0);
  }
}

TEST(RollupTest, AWindowLongerThanTheStepIsPassedOn) {
  EdgeStats row;
  row.window_start_ns = 5 * kMinute;
  row.window_ns = kHour;
  row.count = 3;
  const std::vector<EdgeStats> rows = {row, row};
  row.count = 6;
  EXPECT_EQ(RollUpEdges(rows, kMinute), std::vector<EdgeStats>{row});
}

// Windows of one point, of `decimals` digits behind the point; -1: as they come, of any value.
std::vector<MetricRun> SomeRuns(uint64_t seed, int decimals) {
  RandomMetrics random(seed);
  std::vector<MetricRun> runs = random.Runs(30, 80);
  for (MetricRun& run : runs) {
    run.series = {"m", model::MetricKind::kGauge, {{"a", std::to_string(random.Below(5))}}};
    for (MetricWindow& window : run.windows) {
      if (decimals < 0) continue;
      window.count = 1;
      window.sum = window.least = window.most = window.last =
          static_cast<double>(random.Below(1'000'000)) / std::pow(10, decimals);
    }
  }
  return runs;
}

std::vector<MetricRun> InParts(const std::vector<MetricRun>& runs) {
  std::vector<MetricRun> parts;
  for (const MetricRun& run : runs) {
    for (size_t i = 0; i < run.windows.size(); i += 7) {
      MetricRun part{.series = run.series};
      const auto end = std::min(run.windows.size(), i + 7);
      part.windows.assign(run.windows.begin() + static_cast<ptrdiff_t>(i),
                          run.windows.begin() + static_cast<ptrdiff_t>(end));
      Append(parts, RollUpMetrics({part}, kMinute));
    }
  }
  return parts;
}

TEST(RollupTest, MetricsInPartsAndStepsEqualMetricsAtOnce) {
  for (uint64_t seed = 0; seed < 30; ++seed) {
    const std::vector<MetricRun> runs = SomeRuns(seed, /*decimals=*/static_cast<int>(seed % 8));
    std::vector<MetricRun> parts = InParts(runs);
    std::shuffle(parts.begin(), parts.end(), std::mt19937_64(seed));
    EXPECT_TRUE(SameRuns(RollUpMetrics(parts, kHour), RollUpMetrics(runs, kHour))) << seed;
  }
}

TEST(RollupTest, DecimalFractionsAddUpAsOnPaper) {
  MetricRun run{.series = {"m", model::MetricKind::kDelta, {}}};
  for (int i = 0; i < 30; ++i) {
    model::MetricPoint point;
    point.time_ns = i * kSecond;
    point.value = 0.1;
    run.windows.push_back(WindowOf(point));
  }
  EXPECT_EQ(RollUpMetrics({run}, kMinute)[0].windows[0].sum, 3);
  run.windows.resize(7);
  EXPECT_EQ(RollUpMetrics({run}, kMinute)[0].windows[0].sum, 0.7);
}

// Whatever the values, only the sum is rounded.
TEST(RollupTest, OnlySumsOfFractionsDependOnTheSteps) {
  for (uint64_t seed = 0; seed < 30; ++seed) {
    const std::vector<MetricRun> runs = SomeRuns(seed, /*decimals=*/-1);
    std::vector<MetricRun> in_steps = RollUpMetrics(InParts(runs), kHour);
    std::vector<MetricRun> at_once = RollUpMetrics(runs, kHour);
    for (std::vector<MetricRun>* result : {&in_steps, &at_once}) {
      for (MetricRun& run : *result) {
        for (MetricWindow& window : run.windows) window.sum = 0;
      }
    }
    EXPECT_TRUE(SameRuns(in_steps, at_once)) << seed;
  }
}

TEST(RollupTest, MetricsDoNotDependOnTheOrderOfParts) {
  for (uint64_t seed = 0; seed < 10; ++seed) {
    std::vector<MetricRun> runs = SomeRuns(seed, /*decimals=*/-1);
    const std::vector<MetricRun> first = RollUpMetrics(runs, kHour);
    std::shuffle(runs.begin(), runs.end(), std::mt19937_64(seed));
    EXPECT_TRUE(SameRuns(RollUpMetrics(runs, kHour), first)) << seed;
  }
}

}  // namespace
}  // namespace kindling::storage
