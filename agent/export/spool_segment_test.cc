#include "agent/export/spool_segment.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace kindling::agent {
namespace {

SpoolRecord MakeRecord(uint64_t sequence) {
  return {.lane = SpoolLane::kSpans,
          .epoch = 0x1122334455667788,
          .sequence = sequence,
          .time_ns = 5,
          .requests = 6,
          .spans = 7};
}

std::vector<uint64_t> SequencesOf(std::string_view bytes) {
  std::vector<uint64_t> sequences;
  SpoolSegmentReader reader(bytes);
  while (reader.Next()) sequences.push_back(reader.record().sequence);
  return sequences;
}

TEST(SpoolSegmentTest, RecordsComeBackWhole) {
  const std::string bytes =
      EncodeSpoolRecord(MakeRecord(1), "one") + EncodeSpoolRecord(MakeRecord(2), "");
  SpoolSegmentReader reader(bytes);
  ASSERT_TRUE(reader.Next());
  EXPECT_EQ(reader.record().epoch, 0x1122334455667788u);
  EXPECT_EQ(reader.record().sequence, 1u);
  EXPECT_EQ(reader.record().lane, SpoolLane::kSpans);
  EXPECT_EQ(reader.record().time_ns, 5);
  EXPECT_EQ(reader.record().requests, 6u);
  EXPECT_EQ(reader.record().spans, 7u);
  EXPECT_EQ(reader.payload(), "one");
  EXPECT_EQ(reader.offset(), 0u);
  ASSERT_TRUE(reader.Next());
  EXPECT_EQ(reader.payload(), "");
  EXPECT_EQ(reader.offset(), kSpoolHeaderBytes + 3);
  EXPECT_FALSE(reader.Next());
  EXPECT_EQ(reader.damaged_stretches(), 0u);
}

TEST(SpoolSegmentTest, AFlippedBitAnywhereCostsOneRecord) {
  std::string bytes;
  for (uint64_t i = 1; i <= 5; ++i) bytes += EncodeSpoolRecord(MakeRecord(i), "payload KDSR");
  const size_t record_bytes = bytes.size() / 5;
  for (size_t position = 0; position < bytes.size(); ++position) {
    std::string damaged = bytes;
    damaged[position] = static_cast<char>(damaged[position] ^ (1 << (position % 8)));
    SpoolSegmentReader reader(damaged);
    std::vector<uint64_t> sequences;
    while (reader.Next()) sequences.push_back(reader.record().sequence);
    std::vector<uint64_t> expected = {1, 2, 3, 4, 5};
    expected.erase(expected.begin() + static_cast<ptrdiff_t>(position / record_bytes));
    EXPECT_EQ(sequences, expected) << position;
    EXPECT_EQ(reader.damaged_stretches(), 1u) << position;
    EXPECT_EQ(reader.damaged_bytes(), record_bytes) << position;
    const bool in_payload = position % record_bytes >= kSpoolHeaderBytes;
    EXPECT_EQ(reader.damaged_requests(), in_payload ? 6u : 0u) << position;
  }
}

TEST(SpoolSegmentTest, AMissingStretchInTheMiddleIsPassedOver) {
  std::string bytes;
  for (uint64_t i = 1; i <= 4; ++i) bytes += EncodeSpoolRecord(MakeRecord(i), "some payload");
  const size_t record_bytes = bytes.size() / 4;
  bytes.erase(record_bytes + kSpoolHeaderBytes + 2, record_bytes);  // end of 2, begin of 3
  const std::vector<uint64_t> sequences = SequencesOf(bytes);
  EXPECT_EQ(sequences.front(), 1u);
  EXPECT_EQ(sequences.back(), 4u);
}

TEST(SpoolSegmentTest, GarbageHoldsNothing) {
  EXPECT_TRUE(SequencesOf("").empty());
  EXPECT_TRUE(SequencesOf("KDSR").empty());
  EXPECT_TRUE(SequencesOf(std::string(1000, '\0')).empty());
  std::string magics;
  for (int i = 0; i < 1000; ++i) magics += "KDSR";
  EXPECT_TRUE(SequencesOf(magics).empty());
}

}  // namespace
}  // namespace kindling::agent
