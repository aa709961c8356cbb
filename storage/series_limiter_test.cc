#include "storage/series_limiter.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace kindling::storage {
namespace {

using model::EdgeStats;
using model::MetricSeries;

constexpr SeriesScope kScope = {.tenant = "t", .cluster = "c", .bucket_ns = 3600};

SeriesLimits Small() {
  SeriesLimits limits;
  limits.edge_series = 3;
  limits.folded_edge_series = 2;
  limits.metric_names = 2;
  limits.series_per_metric = 3;
  return limits;
}

EdgeStats Row(const std::string& client, const std::string& endpoint) {
  EdgeStats row;
  row.observer = model::Side::kServer;
  row.client.workload = client;
  row.server.workload = "server";
  row.server.port = 80;
  row.outcome = model::Outcome::kOk;
  row.endpoint = endpoint;
  row.status_code = "200";
  row.count = 7;
  return row;
}

MetricSeries Series(const std::string& name, const std::string& pod) {
  return {name, model::MetricKind::kGauge, {{"pod", pod}}};
}

TEST(SeriesLimiterTest, SeriesWithinTheCapStayAsTheyAre) {
  SeriesLimiter limiter(Small());
  for (int round = 0; round < 3; ++round) {
    for (const char* endpoint : {"a", "b", "c"}) {
      EdgeStats row = Row("x", endpoint);
      EXPECT_FALSE(limiter.Limit(kScope, row));
      EXPECT_EQ(row, Row("x", endpoint));
    }
  }
  EXPECT_EQ(limiter.series(), 3);
  EXPECT_EQ(limiter.folded_edge_rows(), 0);
}

TEST(SeriesLimiterTest, BeyondTheCapEndpointAndThenPartiesAreFolded) {
  SeriesLimiter limiter(Small());
  for (const char* endpoint : {"a", "b", "c"}) {
    EdgeStats row = Row("x", endpoint);
    limiter.Limit(kScope, row);
  }
  for (const char* client : {"x", "y", "x"}) {
    EdgeStats row = Row(client, "d");
    EXPECT_TRUE(limiter.Limit(kScope, row));
    EdgeStats want = Row(client, "(other)");
    want.status_code = "(other)";
    EXPECT_EQ(row, want);
  }
  EdgeStats row = Row("z", "d");
  EXPECT_TRUE(limiter.Limit(kScope, row));
  EdgeStats want = Row("z", "(other)");
  want.status_code = "(other)";
  want.client = want.server = {.workload = "(other)"};
  EXPECT_EQ(row, want);
  EXPECT_EQ(limiter.folded_edge_rows(), 4);
  // What was there first is still there, and what was folded stays as it is.
  row = Row("x", "a");
  EXPECT_FALSE(limiter.Limit(kScope, row));
  row = want;
  EXPECT_FALSE(limiter.Limit(kScope, row));
  EXPECT_EQ(row, want);
  EXPECT_EQ(limiter.folded_edge_rows(), 4);
}

TEST(SeriesLimiterTest, MetricsBeyondTheCapGoToOneSeriesOfTheSameName) {
  SeriesLimiter limiter(Small());
  for (int i = 0; i < 10; ++i) {
    MetricSeries series = Series("m", std::to_string(i));
    EXPECT_EQ(limiter.Limit(kScope, series), i >= 3);
    const MetricSeries overflow = {"m", model::MetricKind::kGauge, {{"overflow", "true"}}};
    EXPECT_EQ(series, i < 3 ? Series("m", std::to_string(i)) : overflow);
    if (i >= 3) {
      EXPECT_FALSE(limiter.Limit(kScope, series));
    }
  }
  EXPECT_EQ(limiter.folded_metric_series(), 7);
  EXPECT_EQ(limiter.series(), 4);
}

TEST(SeriesLimiterTest, NamesAreCappedToo) {
  SeriesLimiter limiter(Small());
  for (int i = 0; i < 10; ++i) {
    MetricSeries series = Series("m" + std::to_string(i), "a");
    EXPECT_EQ(limiter.Limit(kScope, series), i >= 2);
    EXPECT_EQ(series.name, i < 2 ? "m" + std::to_string(i) : "(other)");
  }
}

TEST(SeriesLimiterTest, TenantsClustersAndBucketsCountApart) {
  SeriesLimiter limiter(Small());
  const std::vector<SeriesScope> scopes = {
      kScope, {"u", "c", 3600}, {"t", "d", 3600}, {"t", "c", 7200}};
  for (const SeriesScope& scope : scopes) {
    for (const char* endpoint : {"a", "b", "c"}) {
      EdgeStats row = Row("x", endpoint);
      EXPECT_FALSE(limiter.Limit(scope, row));
    }
  }
  EXPECT_EQ(limiter.series(), 12);
}

TEST(SeriesLimiterTest, AfterARestartTheSameSeriesAreKept) {
  SeriesLimiter before(Small());
  SeriesLimiter after(Small());
  for (int i = 0; i < 12; ++i) {
    EdgeStats row = Row("x" + std::to_string(i % 4), std::to_string(i));
    MetricSeries series = Series("m" + std::to_string(i % 3), std::to_string(i));
    before.Limit(kScope, row);
    before.Limit(kScope, series);
    after.Seed(kScope, row);
    after.Seed(kScope, series);
  }
  EXPECT_EQ(after.series(), before.series());
  for (int i = 0; i < 40; ++i) {
    EdgeStats one = Row("x" + std::to_string(i % 7), std::to_string(i));
    EdgeStats other = one;
    EXPECT_EQ(before.Limit(kScope, one), after.Limit(kScope, other));
    EXPECT_EQ(one, other);
    MetricSeries series = Series("m" + std::to_string(i % 5), std::to_string(i));
    MetricSeries other_series = series;
    EXPECT_EQ(before.Limit(kScope, series), after.Limit(kScope, other_series));
    EXPECT_EQ(series, other_series);
  }
}

TEST(SeriesLimiterTest, MemoryIsBoundedWhateverComes) {
  SeriesLimits limits;
  limits.all_series = 20'000;
  SeriesLimiter limiter(limits);
  for (int i = 0; i < 100'000; ++i) {
    EdgeStats row = Row(std::to_string(i), std::to_string(i));
    limiter.Limit(kScope, row);
    MetricSeries series = Series(std::to_string(i), std::to_string(i));
    limiter.Limit({"t", "c", 3600 * (i % 3)}, series);
  }
  EXPECT_LE(limiter.series(), 20'000);
  EXPECT_LT(limiter.memory_bytes(), 2'000'000);
}

TEST(SeriesLimiterTest, OldBucketsAreForgotten) {
  SeriesLimiter limiter(Small());
  EdgeStats row = Row("x", "a");
  limiter.Limit(kScope, row);
  EXPECT_TRUE(limiter.Knows(kScope));
  limiter.Forget(3600);
  EXPECT_TRUE(limiter.Knows(kScope));
  limiter.Forget(3601);
  EXPECT_FALSE(limiter.Knows(kScope));
  EXPECT_EQ(limiter.series(), 0);
}

}  // namespace
}  // namespace kindling::storage
