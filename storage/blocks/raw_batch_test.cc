#include "storage/blocks/raw_batch.h"

#include <gtest/gtest.h>

#include <string>

#include "base/testing/status_matchers.h"
#include "storage/columns.h"
#include "storage/testing/random_batch.h"

namespace kindling::storage {
namespace {

model::Batch SomeBatch(uint64_t seed, int rows) {
  RandomRecords records(seed);
  model::Batch batch = records.Batch({"agent", 1'700'000'000'000'000'000, 12}, rows);
  batch.rule_version = 3;
  batch.first_ns = -5;
  batch.last_ns = 1'700'000'000'000'000'000;
  for (model::Span& span : batch.spans) {
    span.alias_trace_id = {records.Below(UINT64_MAX), records.Below(UINT64_MAX)};
    span.alias_parent_id = records.Below(UINT64_MAX);
  }
  for (int i = 0; i < rows; ++i) {
    batch.addresses.push_back({.first_ns = i, .address = "10.0.0.1", .port = 80, .host = "a"});
    batch.series.push_back({.name = "tcp_srtt_seconds",
                            .kind = model::MetricKind::kGauge,
                            .labels = {{"host", "a"}, {"peer", "b"}}});
    model::MetricPoint point{
        .series = static_cast<uint32_t>(i), .time_ns = i * 10, .value = i / 3.0};
    point.histogram.Record(i * 1000);
    batch.points.push_back(point);
    batch.chunks.push_back({.kind = model::ChunkKind::kLogLines,
                            .span_id = records.Below(UINT64_MAX),
                            .first_ns = i,
                            .last_ns = i + 1,
                            .host = "a",
                            .pid = 1,
                            .tid = 2,
                            .bytes = std::string("\0\xff", 2)});
    batch.contents.push_back({.hash = {1, records.Below(UINT64_MAX)}, .time_ns = i, .bytes = "s"});
  }
  return batch;
}

TEST(RawBatchTest, EveryFieldComesBack) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    const model::Batch batch = SomeBatch(seed, static_cast<int>(seed));
    const auto decoded = DecodeRawBatch(EncodeRawBatch(batch));
    ASSERT_OK(decoded);
    EXPECT_EQ(*decoded, batch);
  }
}

TEST(RawBatchTest, MoreRowsThanASectionHoldsComeBack) {
  model::Batch batch;
  batch.losses.resize(kMaxBlockRows + 7);
  for (size_t i = 0; i < batch.losses.size(); ++i) batch.losses[i].requests = i;
  const auto decoded = DecodeRawBatch(EncodeRawBatch(batch));
  ASSERT_OK(decoded);
  EXPECT_EQ(*decoded, batch);
}

TEST(RawBatchTest, EveryTruncationAndEveryFlippedBitIsNoticed) {
  std::string bytes = EncodeRawBatch(SomeBatch(1, 2));
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_TRUE(absl::IsDataLoss(DecodeRawBatch(bytes.substr(0, size)).status())) << size;
  }
  for (size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    const auto flip = static_cast<char>(1 << (bit % 8));
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ flip);
    EXPECT_TRUE(absl::IsDataLoss(DecodeRawBatch(bytes).status())) << bit;
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ flip);
  }
}

}  // namespace
}  // namespace kindling::storage
