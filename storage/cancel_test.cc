// A question that is no longer wanted ends between two blocks, also when it is given nothing.

#include <gtest/gtest.h>

#include <memory>
#include <utility>
#include <vector>

#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"
#include "storage/rocks_store.h"

namespace kindling::storage {
namespace {

constexpr int64_t kHourNs = int64_t{3600} * 1'000'000'000;
constexpr int64_t kStartNs = 472'222 * kHourNs;
constexpr int kBuckets = 20;
constexpr int kAsked = 5;

class CancelTest : public ::testing::Test {
 protected:
  // A block of each class in each of several buckets, so that none is merged with another.
  CancelTest() {
    auto store = OpenRocksStore({.directory = dir_.File("store"), .min_free_bytes = 0});
    EXPECT_OK(store);
    store_ = *std::move(store);
    for (int i = 0; i < kBuckets; ++i) {
      const int64_t time_ns = kStartNs + i * kHourNs;
      model::Batch batch;
      batch.id = {.agent_id = "a", .boot_epoch = 1, .sequence = static_cast<uint64_t>(i) + 1};
      batch.tenant = "default";
      batch.cluster = "test";
      for (uint64_t n = 1; n < 3; ++n) {
        model::Span span;
        span.id = n;
        span.start_ns = time_ns;
        span.trace_id = {.high = 1, .low = n};
        span.attributes = {{"color", "red"}};
        batch.spans.push_back(span);
      }
      batch.edges.push_back({.window_start_ns = time_ns, .window_ns = 1, .count = 1});
      batch.series.push_back({.name = "m"});
      batch.points.push_back({.series = 0, .time_ns = time_ns, .value = 1});
      EXPECT_OK(store_->Append({batch}));
    }
    EXPECT_OK(store_->admin().Compact());
  }

  // Says so when it is asked for the nth time.
  Cancelled AfterAsked() {
    return [this] { return ++asked_ == kAsked; };
  }
  void ExpectCancelled(const absl::Status& status) {
    EXPECT_TRUE(absl::IsDeadlineExceeded(status)) << status;
    EXPECT_EQ(std::exchange(asked_, 0), kAsked);
  }

  base::TempDir dir_;
  std::unique_ptr<Store> store_;
  int asked_ = 0;
};

TEST_F(CancelTest, SearchesThatFindNothing) {
  SpanSearch search{.tenant = "default", .cluster = "test"};
  search.attributes = {{"color", "blue"}};
  int visits = 0;
  const SpanVisitor visit = [&](const model::Span&) {
    ++visits;
    return INT64_MIN;
  };
  const auto uncancelled = store_->SearchSpans(search, visit);
  EXPECT_OK(uncancelled);
  search.cancelled = AfterAsked();
  ExpectCancelled(store_->SearchSpans(search, visit).status());

  std::vector<model::Span> spans;
  ExpectCancelled(
      store_
          ->FindSpans(
              {.tenant = "default", .cluster = "test", .spans = {7}, .cancelled = AfterAsked()},
              &spans)
          .status());
  ExpectCancelled(
      store_
          ->QuerySeries(
              {.tenant = "default", .cluster = "test", .name = "n", .cancelled = AfterAsked()},
              [&](const MetricRun&) { return ++visits > 0; })
          .status());
  EXPECT_EQ(visits, 0);
}

TEST_F(CancelTest, Scans) {
  int visits = 0;
  ExpectCancelled(
      store_
          ->Scan({.tenant = "default", .cluster = "test", .edges = true, .cancelled = AfterAsked()},
                 [&](const model::Batch&) { return ++visits > 0; })
          .status());
  EXPECT_EQ(visits, kAsked - 1);
}

TEST_F(CancelTest, NoMoreBlocksAreReadOnceEnoughSpansAreFound) {
  std::vector<model::Span> spans;
  EXPECT_OK(store_->FindSpans(
      {.tenant = "default", .cluster = "test", .traces = {{.high = 1, .low = 1}}, .limit = 3},
      &spans));
  EXPECT_GE(spans.size(), 3);
  EXPECT_LT(spans.size(), kBuckets / 2);
}

}  // namespace
}  // namespace kindling::storage
