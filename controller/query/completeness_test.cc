#include "controller/query/completeness.h"

#include <gtest/gtest.h>

#include "kindling/v1/query.pb.h"

namespace kindling::controller {
namespace {

using model::LossStage;

v1::Completeness Written(const CompletenessSum& sum) {
  v1::Completeness out;
  sum.WriteTo(&out);
  return out;
}

MapEdge EdgeOf(uint64_t requests, uint64_t lost) {
  MapEdge edge;
  edge.server_view.present = true;
  edge.server_view.requests = requests;
  edge.server_view.lost = lost;
  return edge;
}

TEST(CompletenessTest, NothingMissingIsOne) {
  CompletenessSum sum;
  EXPECT_EQ(Written(sum).fraction(), 1);
  sum.AddCaptured({EdgeOf(10, 0)});
  sum.AddMissing({EdgeOf(10, 0)});
  EXPECT_EQ(Written(sum).fraction(), 1);
  EXPECT_EQ(Written(sum).captured(), 10);
  EXPECT_EQ(Written(sum).by_stage_size(), 0);
}

TEST(CompletenessTest, EventsWhoseRequestsTheEdgesHaveEstimatedCountOnce) {
  CompletenessSum sum;
  sum.AddCaptured({EdgeOf(75, 25)});
  sum.AddMissing({EdgeOf(75, 25)});
  sum.AddLoss({.stage = LossStage::kKernelRing, .host = "a", .events = 1000});
  EXPECT_EQ(Written(sum).lost(), 25);
  EXPECT_EQ(Written(sum).lost_other(), 0);
  EXPECT_EQ(Written(sum).fraction(), 0.75);
}

TEST(CompletenessTest, EventsWithoutAnyEstimateAreAtLeastOneRecord) {
  for (const LossStage stage :
       {LossStage::kKernelRing, LossStage::kByteGap, LossStage::kParserResync}) {
    CompletenessSum sum;
    sum.AddCaptured({EdgeOf(9, 0)});
    sum.AddLoss({.stage = stage, .host = "a", .events = 3});
    EXPECT_EQ(Written(sum).lost_other(), 1);
    EXPECT_EQ(Written(sum).fraction(), 0.9);
  }
}

TEST(CompletenessTest, OtherEventsCountAsRecords) {
  for (const LossStage stage :
       {LossStage::kKernelMap, LossStage::kCap, LossStage::kSpoolOverflow, LossStage::kLateData}) {
    CompletenessSum sum;
    sum.AddCaptured({EdgeOf(90, 0)});
    sum.AddLoss({.stage = stage, .host = "a", .requests = 2, .events = 10});
    EXPECT_EQ(Written(sum).lost(), 2);
    EXPECT_EQ(Written(sum).lost_other(), 8);
    EXPECT_EQ(Written(sum).fraction(), 0.9);
  }
  // A batch of which nothing was counted.
  CompletenessSum sum;
  sum.AddCaptured({EdgeOf(9, 0)});
  sum.AddLoss({.stage = LossStage::kSpoolOverflow, .host = "a", .bytes = 100});
  EXPECT_EQ(Written(sum).fraction(), 0.9);
}

TEST(CompletenessTest, ADamagedBlockIsNeverComplete) {
  CompletenessSum sum;
  sum.AddCaptured({EdgeOf(9, 0)});
  storage::ScanReport report;
  report.damaged_blocks = 3;
  report.notes = {"block 1 is damaged"};
  sum.AddReport(report);
  const v1::Completeness written = Written(sum);
  EXPECT_EQ(written.fraction(), 0.9);
  EXPECT_EQ(written.notes_size(), 2);
  ASSERT_EQ(written.by_stage_size(), 1);
  EXPECT_EQ(written.by_stage(0).stage(), "damaged_block");
  EXPECT_EQ(written.by_stage(0).events(), 3);
}

TEST(CompletenessTest, CountsTheRowsOfDamagedBlocks) {
  CompletenessSum sum;
  sum.AddCaptured(60);
  storage::ScanReport report;
  report.damaged_blocks = 2;
  report.damaged_rows = 40;
  report.notes = {"block 1 is damaged", "block 2 is damaged"};
  sum.AddReport(report);
  const v1::Completeness written = Written(sum);
  EXPECT_EQ(written.fraction(), 0.6);
  EXPECT_EQ(written.lost_other(), 40);
  ASSERT_EQ(written.by_stage_size(), 1);
  EXPECT_EQ(written.by_stage(0).events(), 2);
}

TEST(CompletenessTest, LostRequestsAreNoProcessEvents) {
  CompletenessSum sum;
  sum.AddCaptured(9);
  sum.AddProcessLoss({.stage = LossStage::kCap, .host = "a", .requests = 4, .events = 4});
  sum.AddProcessLoss({.stage = LossStage::kParserResync, .host = "a", .events = 4});
  EXPECT_EQ(Written(sum).fraction(), 1);
  sum.AddProcessLoss({.stage = LossStage::kCap, .host = "a", .events = 1});
  EXPECT_EQ(Written(sum).fraction(), 0.9);
}

}  // namespace
}  // namespace kindling::controller
