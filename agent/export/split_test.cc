#include "agent/export/split.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <utility>

namespace kindling::agent {
namespace {

model::MetricSeries Series(const std::string& name) {
  return {.name = name, .kind = model::MetricKind::kGauge, .labels = {{"host", "a"}}};
}

TEST(SplitTest, PointsKeepTheirSeriesInEveryPiece) {
  model::Batch batch;
  for (int i = 0; i < 10; ++i) batch.series.push_back(Series("metric_" + std::to_string(i)));
  std::multiset<std::pair<std::string, double>> sent;
  for (uint32_t i = 0; i < 1000; ++i) {
    const uint32_t series = i * 7 % 9;  // one of them has no point
    batch.points.push_back({.series = series, .time_ns = i, .value = i + 0.5});
    sent.insert({batch.series[series].name, i + 0.5});
  }
  const std::vector<model::Batch> pieces = TakeLane(batch, SpoolLane::kAggregates, 4096);
  EXPECT_GT(pieces.size(), 5u);
  EXPECT_TRUE(batch.points.empty());
  EXPECT_TRUE(batch.series.empty());
  std::multiset<std::pair<std::string, double>> got;
  for (const model::Batch& piece : pieces) {
    EXPECT_LE(ApproximateBytes(piece), 4096u);
    EXPECT_LE(piece.series.size(), 9u);
    std::set<uint32_t> used;
    for (const model::MetricPoint& point : piece.points) {
      ASSERT_LT(point.series, piece.series.size());
      used.insert(point.series);
      got.insert({piece.series[point.series].name, point.value});
    }
    EXPECT_EQ(used.size(), piece.series.size());
  }
  EXPECT_EQ(got, sent);
}

TEST(SplitTest, ContentsComeBeforeTheChunksThatReferToThem) {
  model::Batch batch;
  batch.spans.push_back({.id = 1});
  batch.chunks.push_back({.kind = model::ChunkKind::kStackTable, .bytes = std::string(900, 'c')});
  batch.contents.push_back({.bytes = std::string(900, 't')});
  batch.points.push_back({});
  batch.series.push_back(Series("m"));
  const std::vector<model::Batch> pieces = TakeLane(batch, SpoolLane::kSpans, 1000);
  ASSERT_EQ(pieces.size(), 3u);
  EXPECT_EQ(pieces[0].spans.size(), 1u);
  EXPECT_EQ(pieces[1].contents.size(), 1u);
  EXPECT_EQ(pieces[2].chunks.size(), 1u);
  // The other lane's records stay.
  EXPECT_EQ(batch.points.size(), 1u);
}

TEST(SplitTest, ARecordLargerThanAPieceGoesAlone) {
  model::Batch batch;
  for (int i = 0; i < 3; ++i) {
    batch.chunks.push_back({.kind = model::ChunkKind::kPackets, .bytes = std::string(5000, 'c')});
  }
  const std::vector<model::Batch> pieces = TakeLane(batch, SpoolLane::kSpans, 1000);
  ASSERT_EQ(pieces.size(), 3u);
  for (const model::Batch& piece : pieces) EXPECT_EQ(piece.chunks.size(), 1u);
}

}  // namespace
}  // namespace kindling::agent
