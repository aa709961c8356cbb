#include "agent/protocols/stream_buffer.h"

#include <random>
#include <string>
#include <vector>

#include "base/byte_reader.h"
#include "gtest/gtest.h"

namespace kindling::agent {
namespace {

Segment Seg(std::string_view bytes, int64_t boot_ns, uint32_t tcp_seq, uint32_t unseen = 0) {
  return {.bytes = base::AsBytes(bytes),
          .unseen_bytes = unseen,
          .boot_ns = boot_ns,
          .tcp_seq = tcp_seq,
          .tid = static_cast<uint32_t>(boot_ns) + 1};
}

TEST(StreamBufferTest, ReadsTheSegmentItselfWhileNothingIsPending) {
  StreamBuffer buffer;
  const std::string bytes = "abcdef";
  buffer.Append(Seg(bytes, 10, 500));
  EXPECT_EQ(static_cast<const void*>(buffer.bytes().data()), bytes.data());
  buffer.Consume(6);
  EXPECT_FALSE(buffer.EndSegment().broken());
  EXPECT_EQ(buffer.memory_bytes(), 0u);
  EXPECT_EQ(buffer.offset(), 6u);
  EXPECT_EQ(buffer.last().tcp_seq, 505u);
}

TEST(StreamBufferTest, KeepsTheRestAndKnowsWhereEachByteCameFrom) {
  StreamBuffer buffer;
  {
    const std::string bytes = "abcdef";
    buffer.Append(Seg(bytes, 10, 500));
    buffer.Consume(4);
    EXPECT_FALSE(buffer.EndSegment().broken());
  }
  buffer.Append(Seg("ghi", 20, 506));
  EXPECT_EQ(buffer.text(), "efghi");
  EXPECT_EQ(buffer.offset(), 4u);
  EXPECT_EQ(buffer.first().boot_ns, 10);
  EXPECT_EQ(buffer.first().tcp_seq, 504u);
  EXPECT_EQ(buffer.first().tid, 11u);
  EXPECT_EQ(buffer.OriginAt(1).boot_ns, 10);
  EXPECT_EQ(buffer.OriginAt(2).boot_ns, 20);
  EXPECT_EQ(buffer.OriginAt(2).tcp_seq, 506u);
  buffer.Consume(3);
  EXPECT_EQ(buffer.last().boot_ns, 20);
  EXPECT_EQ(buffer.last().tcp_seq, 506u);
  EXPECT_FALSE(buffer.EndSegment().broken());
  EXPECT_EQ(buffer.text(), "hi");
  EXPECT_EQ(buffer.first().tcp_seq, 507u);
}

TEST(StreamBufferTest, SkipGoesThroughBytesHolesAndLaterSegments) {
  StreamBuffer buffer;
  buffer.Append(Seg("head+body", 10, 100, 20));
  buffer.Consume(5);
  buffer.Skip(4 + 20 + 3);
  EXPECT_TRUE(buffer.skipping());
  EXPECT_TRUE(buffer.empty());
  EXPECT_EQ(buffer.last().tcp_seq, 100u + 28);
  EXPECT_FALSE(buffer.EndSegment().broken());
  EXPECT_EQ(buffer.memory_bytes(), 0u);
  buffer.Append(Seg("xyzNEXT", 20, 129));
  EXPECT_FALSE(buffer.skipping());
  EXPECT_EQ(buffer.text(), "NEXT");
  EXPECT_EQ(buffer.last().boot_ns, 20);
  EXPECT_EQ(buffer.last().tcp_seq, 131u);
  EXPECT_EQ(buffer.offset(), 32u);
}

TEST(StreamBufferTest, AHoleThatNobodySkipsIsAGap) {
  StreamBuffer buffer;
  buffer.Append(Seg("GET /", 10, 100, 7));
  EXPECT_TRUE(buffer.has_hole());
  const StreamBuffer::Ending ending = buffer.EndSegment();
  EXPECT_EQ(ending.gap_bytes, 7u);
  EXPECT_EQ(ending.dropped_bytes, 5u);
  EXPECT_TRUE(buffer.empty());
  EXPECT_EQ(buffer.offset(), 12u);
}

TEST(StreamBufferTest, AHoleSkippedInPartIsAGapOfTheRest) {
  StreamBuffer buffer;
  buffer.Append(Seg("h", 10, 100, 10));
  buffer.Consume(1);
  buffer.Skip(4);
  EXPECT_FALSE(buffer.skipping());
  EXPECT_EQ(buffer.EndSegment().gap_bytes, 6u);
  EXPECT_EQ(buffer.offset(), 11u);
}

TEST(StreamBufferTest, MoreThanTheBoundIsDropped) {
  StreamBuffer buffer(8);
  buffer.Append(Seg("12345678", 1, 0));
  EXPECT_FALSE(buffer.EndSegment().broken());
  buffer.Append(Seg("9", 1, 0));
  const StreamBuffer::Ending ending = buffer.EndSegment();
  EXPECT_EQ(ending.gap_bytes, 0u);
  EXPECT_EQ(ending.dropped_bytes, 9u);
  EXPECT_EQ(buffer.offset(), 9u);
  EXPECT_TRUE(buffer.empty());
}

TEST(StreamBufferTest, LosingSkippedBytesIsNoGap) {
  StreamBuffer buffer;
  buffer.Append(Seg("h", 1, 100));
  buffer.Consume(1);
  buffer.Skip(10);
  EXPECT_FALSE(buffer.EndSegment().broken());
  EXPECT_TRUE(buffer.Lose(4));
  EXPECT_EQ(buffer.skip_remaining(), 6u);
  EXPECT_FALSE(buffer.Lose(7));
  EXPECT_FALSE(buffer.skipping());
  EXPECT_EQ(buffer.offset(), 12u);
  uint64_t dropped = 0;
  buffer.Append(Seg("part", 1, 112));
  EXPECT_FALSE(buffer.EndSegment().broken());
  EXPECT_FALSE(buffer.Lose(0, &dropped));
  EXPECT_EQ(dropped, 4u);
}

TEST(StreamBufferTest, SkipForeverNeverEnds) {
  StreamBuffer buffer;
  buffer.Append(Seg("abc", 1, 1, 100));
  buffer.Skip(StreamBuffer::kSkipForever);
  EXPECT_FALSE(buffer.EndSegment().broken());
  buffer.Append(Seg("abc", 2, 104));
  EXPECT_TRUE(buffer.empty());
  EXPECT_FALSE(buffer.EndSegment().broken());
  EXPECT_TRUE(buffer.Lose(1000));
  EXPECT_TRUE(buffer.skipping());
  buffer.CancelSkip();
  EXPECT_FALSE(buffer.skipping());
}

TEST(StreamBufferTest, ManySmallSegmentsKeepTheEndsAndTheSequenceExact) {
  StreamBuffer buffer;
  for (uint32_t i = 0; i < 1000; ++i) {
    buffer.Append(Seg("x", 10 + i, 100 + i));
    EXPECT_FALSE(buffer.EndSegment().broken());
  }
  EXPECT_EQ(buffer.first().boot_ns, 10);
  EXPECT_EQ(buffer.OriginAt(999).boot_ns, 1009);
  for (uint32_t i = 0; i < 1000; ++i) EXPECT_EQ(buffer.OriginAt(i).tcp_seq, 100 + i);
  EXPECT_LT(buffer.memory_bytes(), 8192u);
}

// Against a plain model: random segments, holes, reads and skips; every byte and origin is right.
TEST(StreamBufferTest, AgreesWithAModel) {
  std::mt19937 random(7);
  for (int round = 0; round < 500; ++round) {
    StreamBuffer buffer;
    uint64_t written = 0;  // stream bytes moved so far
    uint64_t skip = 0;
    std::vector<int64_t> time_of;  // by stream position
    for (int i = 0; i < 30; ++i) {
      std::string bytes(random() % 20, ' ');
      const uint32_t unseen = random() % 4 == 0 ? random() % 10 : 0;
      for (size_t k = 0; k < bytes.size(); ++k) bytes[k] = static_cast<char>((written + k) % 251);
      buffer.Append(Seg(bytes, i, static_cast<uint32_t>(1000 + written), unseen));
      written += bytes.size() + unseen;
      time_of.resize(written, i);
      while (true) {
        for (size_t k = 0; k < buffer.size(); ++k) {
          const uint64_t at = buffer.offset() + k;
          ASSERT_EQ(static_cast<uint8_t>(buffer.bytes()[k]), at % 251);
          ASSERT_EQ(buffer.OriginAt(k).boot_ns, time_of[at]);
          ASSERT_EQ(buffer.OriginAt(k).tcp_seq, 1000 + at);
        }
        if (buffer.skipping() || buffer.empty() || random() % 3 == 0) break;
        if (random() % 2 == 0) {
          buffer.Consume(random() % (buffer.size() + 1));
        } else {
          skip = random() % 40;
          buffer.Skip(skip);
        }
      }
      const uint64_t pending = buffer.size();
      const StreamBuffer::Ending ending = buffer.EndSegment();
      if (ending.broken()) {
        ASSERT_EQ(ending.dropped_bytes, pending);
        ASSERT_TRUE(buffer.empty());
      }
      ASSERT_EQ(buffer.offset() + buffer.size(), written);
    }
  }
}

}  // namespace
}  // namespace kindling::agent
