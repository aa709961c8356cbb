#include "storage/blocks/metric_block.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <vector>

#include "base/testing/status_matchers.h"
#include "storage/blocks/metric_rows.h"
#include "storage/blocks/range_coder.h"
#include "storage/testing/random_metrics.h"

namespace kindling::storage {
namespace {

constexpr int64_t kSecond = 1'000'000'000;

void Sort(std::vector<MetricRun>& runs) {
  std::sort(runs.begin(), runs.end(),
            [](const MetricRun& a, const MetricRun& b) { return a.series < b.series; });
}

MetricRun RunOf(const std::string& name, std::vector<double> values,
                std::vector<std::pair<std::string, std::string>> labels = {}) {
  MetricRun run{.series = {name, model::MetricKind::kGauge, std::move(labels)}};
  for (size_t i = 0; i < values.size(); ++i) {
    model::MetricPoint point;
    point.time_ns = static_cast<int64_t>(i) * 10 * kSecond;
    point.value = values[i];
    run.windows.push_back(WindowOf(point));
  }
  return run;
}

std::vector<MetricRun> Decoded(const SealedBlock& block) {
  const ZstdDictionaries none;
  auto decoded = DecodeMetricBlock(block.body, none);
  EXPECT_OK(decoded);
  return decoded.ok() ? *std::move(decoded) : std::vector<MetricRun>();
}

TEST(MetricBlockTest, EveryFieldComesBack) {
  const ZstdDictionaries none;
  for (uint64_t seed = 0; seed < 150; ++seed) {
    std::vector<MetricRun> runs = RandomMetrics(seed).Runs(20, 60);
    const SealedBlock block = EncodeMetricBlock(runs, none);
    Sort(runs);
    EXPECT_TRUE(SameRuns(Decoded(block), runs)) << seed;
  }
}

TEST(MetricBlockTest, ManySegmentsComeBack) {
  const ZstdDictionaries none;
  std::vector<MetricRun> runs = RandomMetrics(7).Runs(2000, 100);
  ASSERT_GT(runs.size(), 200);
  const SealedBlock block = EncodeMetricBlock(runs, none);
  Sort(runs);
  EXPECT_TRUE(SameRuns(Decoded(block), runs));
}

TEST(MetricBlockTest, ValuesOfEverySortComeBackToTheLastBit) {
  const ZstdDictionaries none;
  const double inf = std::numeric_limits<double>::infinity();
  const double nan = std::nan("5");
  const std::vector<std::vector<double>> series = {
      {0.0, -0.0, 0.0},
      {-0.0, -0.0},
      {nan, 1, 2, nan, 3},
      {nan, -nan, nan},
      {inf, -inf, 1e308, -1e308, 5e-324},
      {0.1, 0.2, 0.3, 0.1 + 0.2},
      {1e15 + 0.5, 1e15, 9007199254740993.0, 1.8446744073709552e19, -9.2e18},
      {1, 2, 3, 4, 5, -0.0, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
      {1.0f / 3, 2.0f / 3, 5.0f / 3},
      {123456.789, 123456.788, 123456.790},
      {3},
  };
  for (const std::vector<double>& values : series) {
    const std::vector<MetricRun> runs = {RunOf("m", values)};
    EXPECT_TRUE(SameRuns(Decoded(EncodeMetricBlock(runs, none)), runs)) << values[0];
  }
}

TEST(MetricBlockTest, ExtremeTimesComeBack) {
  const ZstdDictionaries none;
  MetricRun run{.series = {"m", model::MetricKind::kDelta, {}}};
  for (const int64_t time_ns : {INT64_MIN, INT64_MIN + 1, int64_t{-1}, int64_t{0}, INT64_MAX}) {
    run.windows.push_back({.time_ns = time_ns, .count = UINT64_MAX, .last_ns = INT64_MIN});
  }
  const std::vector<MetricRun> runs = {run, RunOf("n", {1, 2})};
  EXPECT_TRUE(SameRuns(Decoded(EncodeMetricBlock(runs, none)), runs));
  EXPECT_TRUE(Decoded(EncodeMetricBlock({}, none)).empty());
}

TEST(MetricBlockTest, RunsOfOneSeriesAreJoinedAndWindowsOfOneTimeMerged) {
  const ZstdDictionaries none;
  const SealedBlock block =
      EncodeMetricBlock({RunOf("m", {4, 5}), RunOf("m", {6}), RunOf("empty", {})}, none);
  EXPECT_EQ(block.rows, 2);
  EXPECT_EQ(block.first_ns, 0);
  EXPECT_EQ(block.last_ns, 10 * kSecond);
  const std::vector<MetricRun> runs = Decoded(block);
  ASSERT_EQ(runs.size(), 1);
  ASSERT_EQ(runs[0].windows.size(), 2);
  EXPECT_EQ(runs[0].windows[0].count, 2);
  EXPECT_EQ(runs[0].windows[0].sum, 10);
  EXPECT_EQ(runs[0].windows[0].least, 4);
  EXPECT_EQ(runs[0].windows[0].most, 6);
}

TEST(MetricBlockTest, LabelsAreOrderedAndEachNameKeptOnce) {
  const ZstdDictionaries none;
  const SealedBlock block =
      EncodeMetricBlock({RunOf("m", {1}, {{"b", "1"}, {"a", "2"}, {"b", "3"}}),
                         RunOf("m", {1}, {{"a", "2"}, {"b", "1"}})},
                        none);
  const auto series = DecodeMetricSeries(block.body, none);
  ASSERT_OK(series);
  ASSERT_EQ(series->size(), 1);
  EXPECT_EQ((*series)[0].labels,
            (std::vector<std::pair<std::string, std::string>>{{"a", "2"}, {"b", "1"}}));
}

TEST(MetricBlockTest, OnlyWantedSeriesAndTimesAreGiven) {
  const ZstdDictionaries none;
  std::vector<MetricRun> all;
  for (int i = 0; i < 100; ++i) {
    all.push_back(RunOf("m" + std::to_string(i), std::vector<double>(1000, i)));
  }
  const SealedBlock block = EncodeMetricBlock(all, none);
  const auto runs = DecodeMetricBlock(
      block.body, none,
      [](const model::MetricSeries& series) { return series.name == "m7" || series.name == "m70"; },
      100 * kSecond, 130 * kSecond);
  ASSERT_OK(runs);
  ASSERT_EQ(runs->size(), 2);
  for (const MetricRun& run : *runs) {
    ASSERT_EQ(run.windows.size(), 3);
    EXPECT_EQ(run.windows[0].time_ns, 100 * kSecond);
    EXPECT_EQ(run.windows[2].last, run.series.name == "m7" ? 7 : 70);
  }
}

TEST(MetricBlockTest, LabelValuesAreCountedBySeries) {
  const ZstdDictionaries none;
  std::vector<MetricRun> runs;
  for (int i = 0; i < 60; ++i) {
    runs.push_back(RunOf("m" + std::to_string(i), {1}, {{"host", i % 3 == 0 ? "a" : "b"}}));
  }
  runs.push_back(RunOf("rare", {1}, {{"disk", "sda"}}));
  runs.push_back(RunOf("none", {1}));
  const SealedBlock block = EncodeMetricBlock(runs, none);
  using Values = std::vector<std::pair<std::string, uint64_t>>;
  const auto values = [&](std::string_view label) {
    const auto decoded = DecodeLabelValues(block.body, label, none);
    EXPECT_OK(decoded);
    return decoded.ok() ? *decoded : Values();
  };
  EXPECT_EQ(values("host"), (Values{{"a", 20}, {"b", 40}}));
  EXPECT_EQ(values("disk"), (Values{{"sda", 1}}));
  EXPECT_EQ(values("m1"), Values());
  EXPECT_EQ(values("no such text"), Values());
}

TEST(MetricBlockTest, TheFilterKnowsNamesAndLabels) {
  const ZstdDictionaries none;
  std::vector<MetricRun> runs;
  for (int i = 0; i < 500; ++i) runs.push_back(RunOf("m", {1}, {{"pod", "p" + std::to_string(i)}}));
  const SealedBlock block = EncodeMetricBlock(runs, none);
  int wrong = 0;
  for (int i = 0; i < 500; ++i) {
    EXPECT_TRUE(MetricFilterMayMatch(block.filter, "m", {{"pod", "p" + std::to_string(i)}}));
    wrong += MetricFilterMayMatch(block.filter, "", {{"pod", "q" + std::to_string(i)}});
  }
  EXPECT_LT(wrong, 25);
  EXPECT_FALSE(MetricFilterMayMatch(block.filter, "n", {}));
  EXPECT_TRUE(MetricFilterMayMatch("damaged", "n", {}));
}

TEST(MetricBlockTest, HistogramsOfTooManyBucketsAreRefused) {
  std::vector<MetricWindow> windows(3);
  for (int i = 0; i < 3; ++i) {
    windows[i].time_ns = i;
    windows[i].histogram.Record(1'000);
    windows[i].histogram.Record(1'000'000);
  }
  const uint64_t buckets = windows[0].histogram.counts().size();
  RangeEncoder encoder;
  MetricRows(0).Code(encoder, windows, 3);
  const std::string bytes = encoder.Finish();
  for (const uint64_t most : {3 * buckets, 3 * buckets - 1}) {
    std::vector<MetricWindow> decoded;
    RangeDecoder decoder(bytes);
    MetricRows(0, most).Code(decoder, decoded, 3);
    EXPECT_EQ(decoder.ok(), most == 3 * buckets);
  }
}

TEST(MetricBlockTest, EveryTruncationIsNoticed) {
  const ZstdDictionaries none;
  const std::string body = EncodeMetricBlock(RandomMetrics(4).Runs(8, 8), none).body;
  for (size_t size = 0; size < body.size(); ++size) {
    const auto decoded = DecodeMetricBlock(std::string_view(body).substr(0, size), none);
    EXPECT_TRUE(absl::IsDataLoss(decoded.status())) << size;
  }
}

TEST(MetricBlockTest, EveryFlippedBitIsNoticed) {
  const ZstdDictionaries none;
  std::string body =
      EncodeMetricBlock({RunOf("m", {1, 2.5, 3}, {{"a", "b"}}), RunOf("n", {4})}, none).body;
  for (size_t bit = 0; bit < body.size() * 8; ++bit) {
    const auto flip = static_cast<char>(1 << (bit % 8));
    body[bit / 8] = static_cast<char>(body[bit / 8] ^ flip);
    EXPECT_TRUE(absl::IsDataLoss(DecodeMetricBlock(body, none).status())) << bit;
    body[bit / 8] = static_cast<char>(body[bit / 8] ^ flip);
  }
}

TEST(MetricBlockTest, MergingIsTheSameInEitherOrder) {
  RandomMetrics random(3);
  for (int i = 0; i < 3000; ++i) {
    const MetricWindow a = random.Window(random.Below(6), 5);
    const MetricWindow b = random.Window(random.Below(6), 5);
    MetricWindow ab = a;
    MergeWindow(ab, b);
    MetricWindow ba = b;
    MergeWindow(ba, a);
    EXPECT_TRUE(SameWindow(ab, ba));
  }
}

}  // namespace
}  // namespace kindling::storage
