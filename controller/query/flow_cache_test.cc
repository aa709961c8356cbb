#include "controller/query/flow_cache.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/testing/fake_clock.h"
#include "base/testing/status_matchers.h"
#include "controller/testing/memory_store.h"
#include "kindling/v1/query.pb.h"
#include "model/filter.h"

namespace kindling::controller {
namespace {

constexpr int64_t kSecondNs = 1'000'000'000;
constexpr int64_t kMinuteNs = 60 * kSecondNs;

// Counts what is asked of it.
class CountingStore : public MemoryStore {
 public:
  absl::StatusOr<storage::ScanReport> QueryFlows(
      const FlowQuery& query, const std::function<bool(const storage::FlowRun&)>& visit) override {
    last_flows = query;
    ++scans;
    return MemoryStore::QueryFlows(query, visit);
  }
  // What was appended first is of all time, the rest from changed_from_ns on.
  uint64_t ChangesIn(int64_t start_ns, int64_t end_ns) const override {
    return end_ns >= changed_from_ns ? MemoryStore::ChangesIn(start_ns, end_ns) : 1;
  }
  int64_t changed_from_ns = INT64_MIN;
  int scans = 0;
  FlowQuery last_flows;
};

class FlowCacheTest : public testing::Test {
 protected:
  static constexpr int64_t kStartNs = 1'699'999'200 * kSecondNs;  // a whole quarter of an hour

  void AddCalls(const std::string& client, uint64_t count, uint64_t lost = 0) {
    model::Batch batch;
    batch.edges.push_back(
        {.window_start_ns = kStartNs,
         .window_ns = 10 * kSecondNs,
         .observer = model::Side::kClient,
         .client = {.workload = client, .workload_kind = "process", .host = "h"},
         .server = {.address = "10.0.0.9", .port = 80, .dns_name = "shop.example"},
         .protocol = model::Protocol::kHttp,
         .transport = model::Transport::kTcp,
         .count = count,
         .lost = lost});
    std::vector<model::Batch> batches = {std::move(batch)};
    ASSERT_OK(store_.Append(std::move(batches)));
  }
  std::shared_ptr<const NamedFlows> Get(FlowCache& flows, int64_t start_ns, int64_t end_ns) {
    absl::StatusOr<std::shared_ptr<const NamedFlows>> got = flows.Get(context_, {start_ns, end_ns});
    EXPECT_OK(got);
    return got.ok() ? *got : nullptr;
  }

  CountingStore store_;
  AgentRegistry registry_;
  base::FakeClock clock_;
  FlowCache flows_;
  const QuerySources sources_{store_, registry_, clock_, flows_};
  QueryContext context_{sources_, {.tenant = "t", .cluster = "c"}, [] { return false; }};
};

TEST_F(FlowCacheTest, QuestionsOfTheSameMinutesShareOneLoad) {
  AddCalls("cart", 5);
  const auto first = Get(flows_, kStartNs + 1, kStartNs + 3 * kMinuteNs - 1);
  EXPECT_EQ(store_.last_flows.start_ns, kStartNs);
  EXPECT_EQ(store_.last_flows.end_ns, kStartNs + 3 * kMinuteNs);
  EXPECT_EQ(Get(flows_, kStartNs + 7, kStartNs + 3 * kMinuteNs), first);
  EXPECT_EQ(store_.scans, 1);
  EXPECT_NE(Get(flows_, kStartNs, kStartNs + 4 * kMinuteNs), first);
  EXPECT_EQ(store_.scans, 2);
  EXPECT_EQ(flows_.loads(), 2);
}

TEST_F(FlowCacheTest, WhatChangedIsLoadedAnew) {
  AddCalls("cart", 5);
  const auto before = Get(flows_, kStartNs, kStartNs + kMinuteNs);
  AddCalls("cart", 7);
  const auto after = Get(flows_, kStartNs, kStartNs + kMinuteNs);
  ASSERT_NE(before, after);
  ASSERT_EQ(before->edges().size(), 1);
  ASSERT_EQ(after->edges().size(), 1);
  EXPECT_EQ(before->edges()[0].counted().requests, 5);
  EXPECT_EQ(after->edges()[0].counted().requests, 12);
}

TEST_F(FlowCacheTest, NearbyTimesShareWhatIsAround) {
  AddCalls("cart", 5);
  const int64_t middle_ns = kStartNs + 2 * kMinuteNs;
  const auto first = flows_.GetAround(context_, {middle_ns, middle_ns + 1});
  ASSERT_OK(first);
  EXPECT_EQ(store_.last_flows.start_ns, kStartNs);
  EXPECT_EQ(store_.last_flows.end_ns, kStartNs + 15 * kMinuteNs);
  const auto second =
      flows_.GetAround(context_, {middle_ns + 10 * kSecondNs, middle_ns + kMinuteNs});
  ASSERT_OK(second);
  EXPECT_EQ(*first, *second);
  // What is near an end has two minutes more on that side.
  ASSERT_OK(flows_.GetAround(context_, {kStartNs + kMinuteNs, kStartNs + 2 * kMinuteNs}));
  EXPECT_EQ(store_.last_flows.start_ns, kStartNs - 15 * kMinuteNs);
}

TEST_F(FlowCacheTest, AMomentIsNamedByFlowsThatCoverIt) {
  AddCalls("cart", 5);
  clock_.Advance(kStartNs + 20 * kMinuteNs + 30 * kSecondNs - clock_.WallNs());
  const auto around = [&](int64_t from_ns, int64_t to_ns) {
    const auto got = flows_.GetAround(context_, {from_ns, to_ns});
    EXPECT_OK(got);
    return got.ok() ? *got : nullptr;
  };
  // Those of a search, not of the quarter of an hour.
  const auto search = Get(flows_, kStartNs + 3 * kMinuteNs, kStartNs + 21 * kMinuteNs);
  const int64_t middle_ns = kStartNs + 10 * kMinuteNs;
  EXPECT_EQ(around(middle_ns, middle_ns + 1), search);
  // Of what was a moment ago nothing comes after now.
  EXPECT_EQ(around(kStartNs + 19 * kMinuteNs, kStartNs + 20 * kMinuteNs), search);
  EXPECT_EQ(store_.scans, 1);
  // The shortest that do.
  const auto longer = Get(flows_, kStartNs + 2 * kMinuteNs, kStartNs + 21 * kMinuteNs);
  EXPECT_EQ(around(middle_ns, middle_ns + 1), search);
  EXPECT_EQ(around(kStartNs + 4 * kMinuteNs, middle_ns), longer);
  EXPECT_EQ(store_.scans, 2);
  // Two minutes before are looked at.
  EXPECT_NE(around(kStartNs + 3 * kMinuteNs, middle_ns), longer);
  EXPECT_EQ(store_.scans, 3);
  // Others' are not looked at, nor those of a day.
  const QueryContext other{sources_, {.tenant = "u", .cluster = "c"}, [] { return false; }};
  ASSERT_OK(flows_.GetAround(other, {middle_ns, middle_ns + 1}));
  EXPECT_EQ(store_.scans, 4);
  FlowCache days;
  Get(days, kStartNs - 24 * 60 * kMinuteNs, kStartNs + 21 * kMinuteNs);
  ASSERT_OK(days.GetAround(context_, {middle_ns, middle_ns + 1}));
  EXPECT_EQ(store_.scans, 6);
}

TEST_F(FlowCacheTest, WhatChangedElsewhereInTheFlowsIsNoMatter) {
  AddCalls("cart", 5);
  const auto search = Get(flows_, kStartNs, kStartNs + 20 * kMinuteNs);
  const int64_t middle_ns = kStartNs + 10 * kMinuteNs;
  store_.changed_from_ns = middle_ns + 3 * kMinuteNs;
  AddCalls("cart", 5);
  EXPECT_EQ(*flows_.GetAround(context_, {middle_ns, middle_ns + 1}), search);
  EXPECT_NE(*flows_.GetAround(context_, {middle_ns, middle_ns + 2 * kMinuteNs}), search);
  EXPECT_NE(Get(flows_, kStartNs, kStartNs + 20 * kMinuteNs), search);
}

TEST_F(FlowCacheTest, StrangeRangesAreNoFault) {
  ASSERT_OK(flows_.GetAround(context_, {0, 0}));
  ASSERT_OK(flows_.GetAround(context_, {0, INT64_MAX}));
  ASSERT_OK(flows_.Get(context_, {INT64_MAX - 1, INT64_MAX}));
}

TEST_F(FlowCacheTest, WhatWasNotUsedForLongestGoesFirst) {
  AddCalls("cart", 5);
  FlowCache large;
  const auto kept = Get(large, kStartNs, kStartNs + kMinuteNs);
  FlowCache small(2 * large.memory_bytes());
  const auto first = Get(small, kStartNs, kStartNs + kMinuteNs);
  const auto second = Get(small, kStartNs, kStartNs + 2 * kMinuteNs);
  EXPECT_EQ(Get(small, kStartNs, kStartNs + kMinuteNs), first);
  Get(small, kStartNs, kStartNs + 3 * kMinuteNs);
  EXPECT_LE(small.memory_bytes(), 2 * large.memory_bytes());
  EXPECT_EQ(Get(small, kStartNs, kStartNs + kMinuteNs), first);
  EXPECT_NE(Get(small, kStartNs, kStartNs + 2 * kMinuteNs), second);
}

TEST_F(FlowCacheTest, AnAddressThatChangesHandsHasBothNames) {
  model::Batch batch;
  const auto bind = [&](const std::string& workload, int64_t first_ns) {
    batch.addresses.push_back({.first_ns = first_ns,
                               .address = "203.0.113.9",
                               .port = 80,
                               .transport = model::Transport::kTcp,
                               .workload = workload,
                               .workload_kind = "process",
                               .host = "h"});
  };
  bind("long before", kStartNs - 60 * kMinuteNs);
  bind("before", kStartNs - 50 * kMinuteNs);
  bind("after", kStartNs + 30 * kSecondNs);
  std::vector<model::Batch> batches = {std::move(batch)};
  ASSERT_OK(store_.Append(std::move(batches)));
  const auto flows = Get(flows_, kStartNs, kStartNs + kMinuteNs);
  storage::SpanEnds ends{.side = model::Side::kClient,
                         .protocol = model::Protocol::kHttp,
                         .transport = model::Transport::kTcp,
                         .client = {.workload = "cart", .workload_kind = "process", .host = "x"},
                         .server = {.address = "203.0.113.9", .port = 80}};
  std::vector<std::string> names;
  for (const EdgeGroups::Ends& each : *flows->PossibleNames(ends))
    names.push_back(each.server.name);
  EXPECT_EQ(names, (std::vector<std::string>{"before", "after"}));
}

TEST_F(FlowCacheTest, NamesEndsAndCountsWhatIsMissing) {
  AddCalls("cart", 90, 10);
  AddCalls("other", 100);
  const auto flows = Get(flows_, kStartNs, kStartNs + kMinuteNs);
  const storage::SpanEnds ends{
      .side = model::Side::kClient,
      .protocol = model::Protocol::kHttp,
      .transport = model::Transport::kTcp,
      .client = {.workload = "cart", .workload_kind = "process", .host = "h"},
      .server = {.address = "10.0.0.9", .port = 80, .dns_name = "shop.example"}};
  for (int i = 0; i < 2; ++i) {  // the second time remembered
    const NamedFlows::EndsList names = flows->PossibleNames(ends);
    ASSERT_EQ(names->size(), 1);
    EXPECT_EQ(names->front().client.name, "cart");
    EXPECT_EQ(names->front().server.name, "shop.example");
  }
  const auto fraction = [&](const std::string& text) {
    absl::StatusOr<model::Filter> filter = model::Filter::Parse(text);
    EXPECT_OK(filter);
    CompletenessSum sum;
    flows->AddCompleteness(context_, *filter, {kStartNs, kStartNs + kMinuteNs}, sum);
    v1::Completeness out;
    sum.WriteTo(&out);
    return out.fraction();
  };
  EXPECT_DOUBLE_EQ(fraction(R"(client="cart")"), 0.9);
  EXPECT_DOUBLE_EQ(fraction(R"(client="other")"), 1);
  EXPECT_DOUBLE_EQ(fraction(""), 0.95);
  EXPECT_DOUBLE_EQ(fraction("latency>1ms"), 0.95);
}

}  // namespace
}  // namespace kindling::controller
