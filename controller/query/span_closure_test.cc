#include "controller/query/span_closure.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "base/testing/fake_clock.h"
#include "base/testing/status_matchers.h"
#include "controller/query/flow_cache.h"
#include "controller/testing/memory_store.h"

namespace kindling::controller {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr int64_t kMs = 1'000'000;
constexpr int64_t kStartNs = 1'700'000'000'000 * kMs;

class SpanClosureTest : public ::testing::Test {
 protected:
  // A span from `start_ms` on that takes 100 ms.
  model::Span& Add(model::SpanId id, int64_t start_ms, model::SpanId parent = 0) {
    model::Span span;
    span.id = id;
    span.parent_id = parent;
    span.start_ns = kStartNs + start_ms * kMs;
    span.wait_duration_ns = 100 * kMs;
    spans_.push_back(span);
    return spans_.back();
  }
  std::vector<model::SpanId> Find(SpanClosure& closure) {
    model::Batch batch;
    batch.spans = std::move(spans_);
    std::vector<model::Batch> batches = {std::move(batch)};
    EXPECT_OK(store_.Append(std::move(batches)));
    EXPECT_OK(closure.Find());
    std::vector<model::SpanId> ids;
    for (const model::Span& span : closure.spans()) ids.push_back(span.id);
    return ids;
  }

  MemoryStore store_;
  AgentRegistry registry_;
  base::FakeClock clock_;
  FlowCache flows_;
  const QuerySources sources_{store_, registry_, clock_, flows_};
  bool cancelled_ = false;
  QueryContext context_{sources_, {.tenant = "t", .cluster = "c"}, [this] { return cancelled_; }};
  std::vector<model::Span> spans_;
};

TEST_F(SpanClosureTest, ParentsAndChildrenOfASpan) {
  Add(1, 0);
  Add(2, 10, 1);
  Add(3, 20, 2);
  Add(4, 30, 1);   // a sibling
  Add(5, 15);      // of nobody
  Add(6, 40, 77);  // of one that was not kept
  SpanClosure closure(context_);
  closure.AddSpan(3);
  EXPECT_THAT(Find(closure), ElementsAre(1, 2, 3, 4));
}

TEST_F(SpanClosureTest, ChildrenBeginWhileTheirParentRuns) {
  Add(1, 0);
  Add(2, 50, 1);
  Add(3, 120, 2);    // after the first ended, while the second runs
  Add(4, 5'000, 1);  // an id that came up again
  Add(5, 1'050, 2);  // another host's clock
  SpanClosure closure(context_);
  closure.AddSpan(1);
  EXPECT_THAT(Find(closure), ElementsAre(1, 2, 3, 5));
}

TEST_F(SpanClosureTest, AForeignTraceIsOne) {
  Add(1, 0).alias_trace_id = {7, 8};
  Add(2, 10).alias_trace_id = {7, 8};
  Add(3, 20, 2);
  Add(4, 30).alias_trace_id = {7, 9};
  SpanClosure closure(context_);
  closure.AddTrace({7, 8});
  EXPECT_THAT(Find(closure), ElementsAre(1, 2, 3));
}

TEST_F(SpanClosureTest, WhatATraceLeadsToBelongsToIt) {
  Add(1, 0).trace_id = {1, 1};
  model::Span& second = Add(2, 10);
  second.trace_id = {1, 1};
  second.alias_trace_id = {9, 9};
  Add(3, 20).alias_trace_id = {9, 9};
  Add(4, 30, 3);
  SpanClosure closure(context_);
  closure.AddTrace({1, 1});
  EXPECT_THAT(Find(closure), ElementsAre(1, 2, 3, 4));
}

TEST_F(SpanClosureTest, ParentsInACircleEnd) {
  Add(1, 0, 2);
  Add(2, 10, 1);
  SpanClosure closure(context_);
  closure.AddSpan(1);
  EXPECT_THAT(Find(closure), ElementsAre(1, 2));
}

TEST_F(SpanClosureTest, NothingIsFoundOfWhatIsNotThere) {
  Add(1, 0);
  SpanClosure closure(context_);
  closure.AddSpan(9);
  EXPECT_THAT(Find(closure), IsEmpty());
  EXPECT_EQ(store_.finds, 1);
}

TEST_F(SpanClosureTest, ATraceThatIsTooLargeIsCutAndSaysSo) {
  for (model::SpanId id = 1; id <= SpanClosure::kMaxSpans + 5; ++id) {
    Add(id, static_cast<int64_t>(id)).trace_id = {1, 1};
  }
  SpanClosure closure(context_);
  closure.AddTrace({1, 1});
  EXPECT_EQ(Find(closure).size(), SpanClosure::kMaxSpans);
  EXPECT_THAT(closure.report().notes, ElementsAre(HasSubstr("Only the first 10000 spans")));
}

TEST_F(SpanClosureTest, ALongTraceIsSearchedForChildrenInItsBeginningOnly) {
  Add(1, 0).wait_duration_ns = 2 * SpanClosure::kMaxChildSearchNs;
  Add(2, 10, 1);
  Add(3, (SpanClosure::kMaxChildSearchNs + 60'000 * kMs) / kMs, 1);
  SpanClosure closure(context_);
  closure.AddSpan(1);
  EXPECT_THAT(Find(closure), ElementsAre(1, 2));
  EXPECT_THAT(closure.report().notes, ElementsAre(HasSubstr("children that began late")));
}

TEST_F(SpanClosureTest, ItEndsWhenItIsNoLongerWanted) {
  Add(1, 0);
  SpanClosure closure(context_);
  closure.AddSpan(1);
  cancelled_ = true;
  EXPECT_TRUE(absl::IsDeadlineExceeded(closure.Find()));
}

}  // namespace
}  // namespace kindling::controller
