#include "storage/blocks/edge_block.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <span>
#include <string>
#include <tuple>
#include <vector>

#include "base/testing/status_matchers.h"
#include "storage/testing/random_batch.h"

namespace kindling::storage {
namespace {

using model::EdgeStats;

constexpr int64_t kSecond = 1'000'000'000;

void Sort(std::vector<EdgeStats>& rows) {
  const auto key = [](const EdgeStats& row) {
    return std::tie(row.observer, row.client, row.server, row.protocol, row.transport, row.endpoint,
                    row.outcome, row.status_code, row.window_start_ns, row.window_ns);
  };
  std::sort(rows.begin(), rows.end(),
            [&key](const EdgeStats& a, const EdgeStats& b) { return key(a) < key(b); });
}

void ExpectRoundTrip(std::vector<EdgeStats> rows) {
  const ZstdDictionaries none;
  const SealedBlock block = EncodeEdgeBlock(rows, none);
  EXPECT_EQ(block.rows, rows.size());
  auto decoded = DecodeEdgeBlock(block.body, none);
  ASSERT_OK(decoded);
  Sort(rows);
  Sort(*decoded);
  EXPECT_EQ(*decoded, rows);
}

EdgeStats Row(int64_t second, const std::string& endpoint = "GET /") {
  EdgeStats row;
  row.window_start_ns = second * kSecond;
  row.window_ns = 10 * kSecond;
  row.endpoint = endpoint;
  row.count = 5;
  row.latency.Record(1'000'000, 5);
  return row;
}

// Rows of some series over time, as busy and as idle as can be.
std::vector<EdgeStats> SomeSeries(uint64_t seed, int series, int windows) {
  RandomRecords records(seed);
  std::vector<EdgeStats> rows;
  for (int i = 0; i < series; ++i) {
    const EdgeStats names = records.Edge();
    const uint64_t most = uint64_t{1} << records.Below(12);
    for (int n = 0; n < windows; ++n) {
      if (records.Below(8) == 0) continue;
      EdgeStats row = names;
      row.endpoint += std::to_string(i);
      row.window_start_ns = 1'700'000'000 * kSecond + n * 10 * kSecond;
      row.count = records.Below(most);
      row.latency = {};
      for (uint64_t k = 0; k < row.count; ++k) {
        row.latency.Record(static_cast<int64_t>(1 + records.Below(1'000) * records.Below(100'000)));
      }
      rows.push_back(row);
    }
  }
  return rows;
}

TEST(EdgeBlockTest, FlowsAreTheSameRows) {
  const ZstdDictionaries none;
  FlowEnds ends;
  std::map<SpanEnds, uint32_t> numbers;  // of both blocks
  for (const uint64_t seed : {1, 2}) {
    const std::vector<EdgeStats> some = SomeSeries(seed, 40, 30);
    const SealedBlock block = EncodeEdgeBlock(some, none);
    const int64_t from_ns = some.front().window_start_ns + 50 * kSecond;
    const int64_t to_ns = from_ns + 100 * kSecond;
    const auto rows = DecodeEdgeBlock(block.body, none, from_ns, to_ns);
    ASSERT_OK(rows);
    size_t next = 0;
    ASSERT_OK(ReadFlows(block.body, none, from_ns, to_ns, ends,
                        [&](uint32_t flow, std::span<const FlowRow> run) {
                          for (const FlowRow& row : run) {
                            EXPECT_EQ(row, FlowRowOf((*rows)[next]));
                            EXPECT_EQ(ends[flow], EndsOf((*rows)[next++]));
                          }
                          EXPECT_EQ(numbers.try_emplace(ends[flow], flow).first->second, flow);
                          return true;
                        }));
    EXPECT_EQ(next, rows->size());
  }
  EXPECT_EQ(ends.size(), numbers.size());
}

TEST(EdgeBlockTest, FlowsStopWhenTold) {
  const ZstdDictionaries none;
  const SealedBlock block = EncodeEdgeBlock(SomeSeries(3, 10, 5), none);
  FlowEnds ends;
  int runs = 0;
  ASSERT_OK(ReadFlows(block.body, none, INT64_MIN, INT64_MAX, ends,
                      [&](uint32_t, std::span<const FlowRow>) { return ++runs < 3; }));
  EXPECT_EQ(runs, 3);
}

TEST(EdgeBlockTest, WhatEndsForgetGetsAnotherNumber) {
  FlowEnds ends;
  const EdgeStats row = RandomRecords(1).Edge();
  const uint32_t first = ends.Flow(row);
  EXPECT_EQ(ends.Flow(row), first);
  EXPECT_EQ(ends[first], EndsOf(row));
  ends.Forget();
  EXPECT_EQ(ends.size(), 0);
  const uint32_t second = ends.Flow(row);
  EXPECT_NE(second, first);
  EXPECT_EQ(ends[second], EndsOf(row));
}

TEST(EdgeBlockTest, EveryFieldComesBack) {
  for (uint64_t seed = 0; seed < 60; ++seed) {
    RandomRecords records(seed);
    std::vector<EdgeStats> rows;
    for (uint64_t n = records.Below(80); n > 0; --n) rows.push_back(records.Edge());
    ExpectRoundTrip(rows);
  }
}

TEST(EdgeBlockTest, SeriesOverTimeComeBack) {
  for (uint64_t seed = 0; seed < 8; ++seed) ExpectRoundTrip(SomeSeries(seed, 12, 50));
}

TEST(EdgeBlockTest, ManySegmentsComeBack) { ExpectRoundTrip(SomeSeries(9, 100, 300)); }

TEST(EdgeBlockTest, ExtremesComeBack) {
  ExpectRoundTrip({});
  ExpectRoundTrip({EdgeStats()});
  EdgeStats row = Row(0);
  row.window_start_ns = INT64_MIN;
  row.window_ns = INT64_MAX;
  row.count = row.slow_count = row.sent_bytes = row.received_bytes = UINT64_MAX;
  row.connections = row.connect_failures = row.connect_count = row.connect_sum_ns = UINT64_MAX;
  row.lost = UINT64_MAX;
  row.blame.ns.fill(UINT64_MAX);
  row.latency.Record(INT64_MAX, 3);
  row.latency.Record(1);
  EdgeStats late = row;
  late.window_start_ns = INT64_MAX;
  late.window_ns = INT64_MIN;
  EdgeStats zero = Row(1);
  zero.latency = {};
  zero.latency.Record(0, UINT64_MAX);
  EdgeStats negative = Row(2);
  negative.latency.Record(-5);
  ExpectRoundTrip({row, late, zero, negative});
}

TEST(EdgeBlockTest, HistogramsThatNoRecordingMakesComeBack) {
  EdgeStats row = Row(1);
  const std::vector<uint64_t> counts = {3, 0, 7};
  ASSERT_TRUE(row.latency.Assign(1005, counts, 2, 11, -9, 5));
  EdgeStats other = Row(2);
  ASSERT_TRUE(other.latency.Assign(0, counts, 0, UINT64_MAX, INT64_MIN, INT64_MAX));
  EdgeStats pair = Row(3);
  ASSERT_TRUE(pair.latency.Assign(16, std::vector<uint64_t>{2}, 0, 5, 3, 3));
  ExpectRoundTrip({row, other, pair});
}

TEST(EdgeBlockTest, ZeroCountsAtTheEndsOfAHistogramAreLeftOut) {
  const ZstdDictionaries none;
  EdgeStats row = Row(1);
  ASSERT_TRUE(row.latency.Assign(100, std::vector<uint64_t>{0, 0, 4, 0}, 0, 700, 90, 180));
  const auto decoded = DecodeEdgeBlock(EncodeEdgeBlock({row}, none).body, none);
  ASSERT_OK(decoded);
  EXPECT_EQ(decoded->at(0).latency.offset(), 102);
  EXPECT_EQ(decoded->at(0).latency.counts().size(), 1);
  EXPECT_EQ(decoded->at(0).latency.count(), 4);
}

TEST(EdgeBlockTest, CountsBeyondTheirRangeAreCutAndStillRead) {
  const ZstdDictionaries none;
  EdgeStats row = Row(1);
  row.latency.Record(1'000, UINT64_MAX);
  row.latency.Record(2'000'000, UINT64_MAX);
  const auto decoded = DecodeEdgeBlock(EncodeEdgeBlock({row}, none).body, none);
  ASSERT_OK(decoded);
  EXPECT_EQ(decoded->at(0).latency.count(), UINT64_MAX);
}

TEST(EdgeBlockTest, RowsOfOneSeriesAndWindowAreMerged) {
  const ZstdDictionaries none;
  const SealedBlock block = EncodeEdgeBlock({Row(10), Row(20), Row(10), Row(10, "GET /b")}, none);
  EXPECT_EQ(block.rows, 3);
  EXPECT_EQ(block.first_ns, 10 * kSecond);
  EXPECT_EQ(block.last_ns, 20 * kSecond);
  const auto decoded = DecodeEdgeBlock(block.body, none);
  ASSERT_OK(decoded);
  ASSERT_EQ(decoded->size(), 3);
  EXPECT_EQ((*decoded)[0].count, 10);
  EXPECT_EQ((*decoded)[0].latency.count(), 10);
}

TEST(EdgeBlockTest, WindowsAreSelectedByTheirStart) {
  const ZstdDictionaries none;
  const SealedBlock block = EncodeEdgeBlock({Row(10), Row(20), Row(30)}, none);
  const auto decoded = DecodeEdgeBlock(block.body, none, 20 * kSecond, 30 * kSecond);
  ASSERT_OK(decoded);
  ASSERT_EQ(decoded->size(), 1);
  EXPECT_EQ((*decoded)[0], Row(20));
}

TEST(EdgeBlockTest, AVisitorCanStop) {
  const ZstdDictionaries none;
  const SealedBlock block = EncodeEdgeBlock({Row(10), Row(20), Row(30)}, none);
  int seen = 0;
  ASSERT_OK(ReadEdgeBlock(block.body, none, INT64_MIN, INT64_MAX,
                          [&seen](EdgeStats&) { return ++seen < 2; }));
  EXPECT_EQ(seen, 2);
}

TEST(EdgeBlockTest, EveryTruncationIsNoticed) {
  const ZstdDictionaries none;
  const std::string body = EncodeEdgeBlock(SomeSeries(1, 3, 10), none).body;
  for (size_t size = 0; size < body.size(); ++size) {
    const auto decoded = DecodeEdgeBlock(std::string_view(body).substr(0, size), none);
    EXPECT_TRUE(absl::IsDataLoss(decoded.status())) << size;
  }
}

TEST(EdgeBlockTest, EveryFlippedBitIsNoticed) {
  const ZstdDictionaries none;
  std::string body = EncodeEdgeBlock({Row(10), Row(20), Row(20, "GET /b")}, none).body;
  for (size_t bit = 0; bit < body.size() * 8; ++bit) {
    const auto flip = static_cast<char>(1 << (bit % 8));
    body[bit / 8] = static_cast<char>(body[bit / 8] ^ flip);
    EXPECT_TRUE(absl::IsDataLoss(DecodeEdgeBlock(body, none).status())) << bit;
    body[bit / 8] = static_cast<char>(body[bit / 8] ^ flip);
  }
}

TEST(EdgeBlockTest, AnIdleSeriesCostsLittle) {
  std::vector<EdgeStats> rows;
  for (int i = 0; i < 360; ++i) rows.push_back(Row(10 * i));
  const ZstdDictionaries none;
  const size_t bytes = EncodeEdgeBlock(rows, none).body.size();
  EXPECT_LT(bytes, 360 * 7);
}

}  // namespace
}  // namespace kindling::storage
