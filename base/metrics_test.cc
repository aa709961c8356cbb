#include "base/metrics.h"

#include <gtest/gtest.h>

#include <limits>
#include <thread>

namespace kindling::base {
namespace {

TEST(MetricsTest, WritesFamiliesByNameWithTheirSeriesTogether) {
  Metrics metrics;
  metrics.AddCounter("b_total", "Bees.", {{"kind", "wild"}}).Increment(3);
  metrics.AddGauge("a_bytes", "Size.").Set(1.5);
  metrics.AddCounter("b_total", "Bees.", {{"kind", "tame"}}).Increment();
  metrics.AddFunction("c_count", MetricType::kGauge, "Cats.", [] { return 7.0; });
  metrics.AddWriter([](MetricsText& text) {
    text.Family("z_total", MetricType::kCounter, "Zebras.");
    text.Sample("", uint64_t{18'000'000'000'000'000'001u});
  });
  EXPECT_EQ(metrics.Text(),
            "# HELP a_bytes Size.\n"
            "# TYPE a_bytes gauge\n"
            "a_bytes 1.5\n"
            "# HELP b_total Bees.\n"
            "# TYPE b_total counter\n"
            "b_total{kind=\"wild\"} 3\n"
            "b_total{kind=\"tame\"} 1\n"
            "# HELP c_count Cats.\n"
            "# TYPE c_count gauge\n"
            "c_count 7\n"
            "# HELP z_total Zebras.\n"
            "# TYPE z_total counter\n"
            "z_total 18000000000000000001\n");
}

TEST(MetricsTest, HistogramsAreCumulativeWithInclusiveBounds) {
  Metrics metrics;
  Histogram& histogram = metrics.AddHistogram("h_seconds", "H.", {0.1, 1}, {{"x", "y"}});
  for (const double value : {0.05, 0.1, 0.5, 2.0}) histogram.Observe(value);
  EXPECT_EQ(metrics.Text(),
            "# HELP h_seconds H.\n"
            "# TYPE h_seconds histogram\n"
            "h_seconds_bucket{x=\"y\",le=\"0.1\"} 2\n"
            "h_seconds_bucket{x=\"y\",le=\"1\"} 3\n"
            "h_seconds_bucket{x=\"y\",le=\"+Inf\"} 4\n"
            "h_seconds_sum{x=\"y\"} 2.65\n"
            "h_seconds_count{x=\"y\"} 4\n");
}

TEST(MetricsTest, LabelValuesAreEscapedAndMadeUtf8) {
  EXPECT_EQ(RenderLabels({{"a", "x\"y\\z\n"}, {"b", "\xff"}}), "a=\"x\\\"y\\\\z\\n\",b=\"?\"");
  MetricsText text;
  text.Family("n", MetricType::kGauge, "back\\slash\nline");
  text.Sample("", std::numeric_limits<double>::infinity());
  text.Sample("", std::numeric_limits<double>::quiet_NaN());
  EXPECT_EQ(text.Take(), "# HELP n back\\\\slash\\nline\n# TYPE n gauge\nn +Inf\nn NaN\n");
}

TEST(MetricsTest, CountsFromManyThreads) {
  Metrics metrics;
  Counter& counter = metrics.AddCounter("c_total", "C.");
  Histogram& histogram = metrics.AddHistogram("h_seconds", "H.", {1});
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 1000; ++i) {
        counter.Increment();
        histogram.Observe(i % 2 * 2);
        if (i % 100 == 0) metrics.Text();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(counter.value(), 4000u);
  EXPECT_NE(metrics.Text().find("h_seconds_bucket{le=\"1\"} 2000\n"), std::string::npos);
  EXPECT_NE(metrics.Text().find("h_seconds_count 4000\n"), std::string::npos);
}

}  // namespace
}  // namespace kindling::base
