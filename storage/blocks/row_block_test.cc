#include "storage/blocks/row_block.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/testing/status_matchers.h"
#include "storage/columns.h"
#include "storage/testing/random_batch.h"
#include "storage/varint.h"

namespace kindling::storage {
namespace {

template <typename Row>
std::string Encoded(const std::vector<Row>& rows) {
  std::vector<const Row*> pointers;
  for (const Row& row : rows) pointers.push_back(&row);
  return EncodeBlock(pointers);
}

template <typename Row>
void ExpectRoundTrip(const std::vector<Row>& rows) {
  const auto decoded = DecodeBlock<Row>(Encoded(rows));
  ASSERT_OK(decoded);
  EXPECT_EQ(*decoded, rows);
}

TEST(RowBlockTest, EveryFieldComesBack) {
  for (uint64_t seed = 0; seed < 50; ++seed) {
    RandomRecords records(seed);
    const model::Batch batch =
        records.Batch({.agent_id = "a"}, static_cast<int>(records.Below(60)));
    ExpectRoundTrip(batch.processes);
    ExpectRoundTrip(batch.losses);
  }
}

TEST(RowBlockTest, ABlockOfALaterVersionIsRefused) {
  std::string block = Encoded(std::vector<model::Loss>(1));
  block[1] = static_cast<char>(block[1] + 1);
  EXPECT_TRUE(absl::IsDataLoss(DecodeBlock<model::Loss>(block).status()));
}

TEST(RowBlockTest, DefaultRowsComeBack) {
  ExpectRoundTrip(std::vector<model::Loss>(3));
  ExpectRoundTrip(std::vector<model::ProcessEvent>());
}

TEST(RowBlockTest, ExtremeNumbersComeBack) {
  model::ProcessEvent event;
  event.time_ns = INT64_MIN;
  event.code = INT32_MIN;
  event.pid = UINT32_MAX;
  model::ProcessEvent late = event;
  late.time_ns = INT64_MAX;
  ExpectRoundTrip(std::vector<model::ProcessEvent>{event, late, event});
}

TEST(RowBlockTest, ABlockOfAnotherClassIsRefused) {
  EXPECT_FALSE(DecodeBlock<model::Loss>(Encoded(std::vector<model::ProcessEvent>(1))).ok());
}

TEST(RowBlockTest, EveryTruncationIsNoticed) {
  RandomRecords records(1);
  const std::string block = Encoded(records.Batch({}, 5).processes);
  for (size_t size = 0; size < block.size(); ++size) {
    const auto decoded = DecodeBlock<model::ProcessEvent>(std::string_view(block).substr(0, size));
    EXPECT_TRUE(absl::IsDataLoss(decoded.status())) << size;
  }
}

TEST(RowBlockTest, EveryFlippedBitIsNoticed) {
  RandomRecords records(2);
  std::string block = Encoded(records.Batch({}, 2).losses);
  for (size_t bit = 0; bit < block.size() * 8; ++bit) {
    const auto flip = static_cast<char>(1 << (bit % 8));
    block[bit / 8] = static_cast<char>(block[bit / 8] ^ flip);
    EXPECT_TRUE(absl::IsDataLoss(DecodeBlock<model::Loss>(block).status())) << bit;
    block[bit / 8] = static_cast<char>(block[bit / 8] ^ flip);
  }
}

TEST(RowBlockTest, ARowCountBeyondTheLimitCostsNothing) {
  std::string raw;
  PutVarint(raw, UINT32_MAX);
  PutVarint(raw, 0);
  PutVarint(raw, 0);
  raw.append(64, '\0');
  ColumnDecoder<model::Loss> decoder(raw);
  EXPECT_FALSE(decoder.Finished());
  EXPECT_EQ(decoder.rows().capacity(), 0);
}

}  // namespace
}  // namespace kindling::storage
