#include "model/records.h"

#include <gtest/gtest.h>

#include <string>

namespace kindling::model {
namespace {

TEST(RecordsTest, MemoryBytesCountsTexts) {
  Batch batch;
  const size_t empty = MemoryBytes(batch);
  batch.spans.resize(1);
  const size_t one = MemoryBytes(batch);
  EXPECT_EQ(one - empty, sizeof(Span));
  batch.spans[0].attributes.emplace_back("short", std::string(1000, 'x'));
  EXPECT_GT(MemoryBytes(batch), one + 1000);
}

TEST(RecordsTest, NumbersAreAddedAndNamesStay) {
  EdgeStats from{.endpoint = "GET /",
                 .count = 1,
                 .slow_count = 2,
                 .sent_bytes = 3,
                 .received_bytes = 4,
                 .connections = 5,
                 .connect_failures = 6,
                 .connect_count = 7,
                 .connect_sum_ns = 8,
                 .lost = 9};
  from.latency.Record(1000);
  from.blame.ns[2] = 10;
  EdgeStats to;
  AddNumbers(from, to);
  EdgeStats once = from;
  once.endpoint.clear();
  EXPECT_EQ(to, once);
  AddNumbers(from, to);
  EXPECT_EQ(to.count, 2);
  EXPECT_EQ(to.lost, 18);
  EXPECT_EQ(to.latency.count(), 2);
  EXPECT_EQ(to.blame.ns[2], 20);
}

}  // namespace
}  // namespace kindling::model
