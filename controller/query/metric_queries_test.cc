#include "controller/query/metric_queries.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/testing/fake_clock.h"
#include "base/testing/status_matchers.h"
#include "controller/query/flow_cache.h"
#include "controller/query/label_queries.h"
#include "controller/testing/memory_store.h"
#include "kindling/v1/query.pb.h"

namespace kindling::controller {
namespace {

using ::testing::HasSubstr;

constexpr int64_t kSecondNs = 1'000'000'000;
constexpr int64_t kStartNs = 1'700'000'000 * kSecondNs;  // a multiple of 10 s

class MetricQueriesTest : public ::testing::Test {
 protected:
  MetricQueriesTest() { store_.oldest_ns = kStartNs; }

  void Add(const std::string& name, model::MetricKind kind, const std::string& host,
           std::vector<model::MetricPoint> points) {
    model::Batch batch;
    batch.series = {{.name = name, .kind = kind, .labels = {{"host", host}}}};
    batch.points = std::move(points);
    std::vector<model::Batch> batches = {std::move(batch)};
    ASSERT_OK(store_.Append(std::move(batches)));
  }
  void AddGauge(const std::string& name, const std::string& host,
                const std::vector<double>& values) {
    std::vector<model::MetricPoint> points;
    for (const double value : values) {
      points.push_back({.time_ns = kStartNs + static_cast<int64_t>(points.size()) * 10 * kSecondNs,
                        .value = value});
    }
    Add(name, model::MetricKind::kGauge, host, std::move(points));
  }

  static void Match(const std::string& name, const std::string& value, v1::LabelMatcher* matcher) {
    matcher->set_name(name);
    matcher->set_operator_(v1::LabelMatcher::OPERATOR_EQUAL);
    matcher->set_value(value);
  }

  // The parts of the answer; the last one is the end.
  absl::StatusOr<std::vector<v1::QueryRangeResponse>> Range(const v1::QueryRangeRequest& request) {
    std::vector<v1::QueryRangeResponse> out;
    const absl::Status status =
        QueryRange(context_, request, [&](const v1::QueryRangeResponse& part) {
          out.push_back(part);
          return out.size() < most_parts_;
        });
    if (!status.ok()) return status;
    return out;
  }

  MemoryStore store_;
  AgentRegistry registry_;
  base::FakeClock clock_{kSecondNs, kStartNs + 600 * kSecondNs};
  FlowCache flows_;
  const QuerySources sources_{store_, registry_, clock_, flows_};
  bool cancelled_ = false;
  size_t most_parts_ = 1000;
  QueryContext context_{sources_, {.tenant = "t", .cluster = "c"}, [this] { return cancelled_; }};
};

TEST_F(MetricQueriesTest, PointsAreSummedInWindowsOfTheStep) {
  AddGauge("load", "a", {1, 2, 3, 4, 5, 6, 7});
  AddGauge("load", "b", {10});
  AddGauge("other", "a", {100});
  v1::QueryRangeRequest request;
  Match("__name__", "load", request.add_matchers());
  request.set_step_ns(60 * kSecondNs);
  const auto parts = Range(request);
  ASSERT_OK(parts);
  ASSERT_EQ(parts->size(), 3);
  const v1::RangeSeries& a = (*parts)[0].series();
  EXPECT_EQ(a.series().name(), "load");
  EXPECT_EQ(a.series().kind(), "gauge");
  EXPECT_EQ(a.series().labels().at("host"), "a");
  EXPECT_EQ(a.step_ns(), 60 * kSecondNs);
  // 1,700,000,000 s is 20 s into a minute, so that the first window has four points.
  ASSERT_EQ(a.windows_size(), 2);
  EXPECT_EQ(a.windows(0).time_ns(), kStartNs - 20 * kSecondNs);
  EXPECT_EQ(a.windows(0).count(), 4);
  EXPECT_EQ(a.windows(0).sum(), 10);
  EXPECT_EQ(a.windows(0).least(), 1);
  EXPECT_EQ(a.windows(0).most(), 4);
  EXPECT_EQ(a.windows(0).last(), 4);
  EXPECT_EQ(a.windows(1).sum(), 18);
  EXPECT_EQ((*parts)[1].series().series().labels().at("host"), "b");
  EXPECT_EQ((*parts)[2].end().completeness().fraction(), 1);
  // What must be equal goes to the store's index.
  EXPECT_EQ(store_.last_series_query.name, "load");
  EXPECT_EQ(store_.last_series_query.tenant, "t");
  EXPECT_EQ(store_.last_series_query.step_ns, 60 * kSecondNs);
}

TEST_F(MetricQueriesTest, HistogramsAreMerged) {
  model::MetricPoint point{.time_ns = kStartNs};
  point.histogram.Record(1'000'000, 3);
  model::MetricPoint later{.time_ns = kStartNs + 10 * kSecondNs};
  later.histogram.Record(100'000'000, 1);
  Add("dns_seconds", model::MetricKind::kHistogram, "a", {point, later});
  v1::QueryRangeRequest request;
  Match("host", "a", request.add_matchers());
  request.set_step_ns(3600 * kSecondNs);
  const auto parts = Range(request);
  ASSERT_OK(parts);
  ASSERT_EQ(parts->size(), 2);
  ASSERT_EQ((*parts)[0].series().windows_size(), 1);
  const v1::RangeWindow& window = (*parts)[0].series().windows(0);
  EXPECT_EQ(window.count(), 4);
  EXPECT_NEAR(window.sum(), 0.103, 1e-9);
  EXPECT_NEAR(window.p50_ms(), 1, 0.03);
  EXPECT_NEAR(window.p99_ms(), 100, 3);
}

TEST_F(MetricQueriesTest, TheStepIsChosenByTheRange) {
  AddGauge("load", "a", {1});
  v1::QueryRangeRequest request;
  Match("__name__", "load", request.add_matchers());
  ASSERT_OK(Range(request));
  EXPECT_EQ(store_.last_series_query.step_ns, 10 * kSecondNs);
  request.mutable_time()->set_start_ns(kStartNs - 86'400 * kSecondNs);
  ASSERT_OK(Range(request));
  EXPECT_EQ(store_.last_series_query.step_ns, 300 * kSecondNs);
}

TEST_F(MetricQueriesTest, WhatIsRefused) {
  v1::QueryRangeRequest request;
  EXPECT_THAT(std::string(Range(request).status().message()), HasSubstr("matchers"));
  Match("__name__", "load", request.add_matchers());
  request.set_step_ns(kSecondNs / 2);
  EXPECT_THAT(std::string(Range(request).status().message()), HasSubstr("one second"));
  request.set_step_ns(kSecondNs);
  request.mutable_time()->set_start_ns(kStartNs - 86'400 * kSecondNs);
  EXPECT_THAT(std::string(Range(request).status().message()), HasSubstr("11000 windows"));
}

TEST_F(MetricQueriesTest, ItEndsWhenItIsNoLongerWanted) {
  AddGauge("load", "a", {1});
  AddGauge("load", "b", {1});
  v1::QueryRangeRequest request;
  Match("__name__", "load", request.add_matchers());
  most_parts_ = 1;
  EXPECT_TRUE(absl::IsDeadlineExceeded(Range(request).status()));
  cancelled_ = true;
  EXPECT_TRUE(absl::IsDeadlineExceeded(Range(request).status()));
}

TEST_F(MetricQueriesTest, AnUnreadableBlockIsSaid) {
  AddGauge("load", "a", {1});
  store_.report = {.damaged_blocks = 1, .notes = {"Block 7 of series is damaged."}};
  v1::QueryRangeRequest request;
  Match("__name__", "load", request.add_matchers());
  const auto parts = Range(request);
  ASSERT_OK(parts);
  ASSERT_EQ(parts->back().end().completeness().notes_size(), 1);
  EXPECT_EQ(parts->back().end().completeness().notes(0), "Block 7 of series is damaged.");
}

TEST_F(MetricQueriesTest, SeriesAreListedOnceInOrder) {
  AddGauge("b", "x", {1, 2, 3});
  AddGauge("a", "y", {1});
  AddGauge("a", "x", {1});
  v1::ListSeriesRequest request;
  v1::ListSeriesResponse response;
  ASSERT_OK(ListSeries(context_, request, &response));
  EXPECT_EQ(response.total(), 3);
  ASSERT_EQ(response.series_size(), 3);
  EXPECT_EQ(response.series(0).labels().at("host"), "x");
  EXPECT_EQ(response.series(1).labels().at("host"), "y");
  EXPECT_EQ(response.series(2).name(), "b");
  request.set_limit(1);
  response.Clear();
  ASSERT_OK(ListSeries(context_, request, &response));
  EXPECT_EQ(response.series_size(), 1);
  EXPECT_EQ(response.total(), 3);
}

TEST_F(MetricQueriesTest, LabelValuesCountSeries) {
  AddGauge("b", "x", {1, 2, 3});
  AddGauge("a", "y", {1});
  AddGauge("a", "x", {1});
  v1::ListLabelValuesRequest request;
  request.set_label("__name__");
  v1::ListLabelValuesResponse response;
  ASSERT_OK(ListLabelValues(context_, request, &response));
  ASSERT_EQ(response.values_size(), 2);
  EXPECT_EQ(response.values(0).value(), "a");
  EXPECT_EQ(response.values(0).count(), 2);
  EXPECT_EQ(response.values(1).count(), 1);
  request.set_label("host");
  Match("__name__", "b", request.add_matchers());
  response.Clear();
  ASSERT_OK(ListLabelValues(context_, request, &response));
  ASSERT_EQ(response.values_size(), 1);
  EXPECT_EQ(response.values(0).value(), "x");
  EXPECT_EQ(response.values(0).count(), 1);
  request.set_filter("slow");
  EXPECT_TRUE(absl::IsInvalidArgument(ListLabelValues(context_, request, &response)));
  request.clear_what();
  EXPECT_TRUE(absl::IsInvalidArgument(ListLabelValues(context_, request, &response)));
}

TEST_F(MetricQueriesTest, FieldValuesCountRequests) {
  model::Batch batch;
  const auto add = [&](const std::string& endpoint, const std::string& code, uint64_t count) {
    model::EdgeStats edge;
    edge.window_start_ns = kStartNs + 60 * kSecondNs;
    edge.window_ns = 10 * kSecondNs;
    edge.observer = model::Side::kServer;
    edge.client.address = "10.0.0.9";
    edge.server = {.workload = "shop:80", .workload_kind = "process", .host = "h"};
    edge.protocol = model::Protocol::kHttp;
    edge.transport = model::Transport::kTcp;
    edge.endpoint = endpoint;
    edge.status_code = code;
    edge.count = count;
    batch.edges.push_back(edge);
  };
  add("GET /", "200", 5);
  add("GET /", "500", 2);
  add("GET /x", "200", 1);
  std::vector<model::Batch> batches = {std::move(batch)};
  ASSERT_OK(store_.Append(std::move(batches)));
  const auto values = [&](const std::string& field) {
    v1::ListLabelValuesRequest request;
    request.set_field(field);
    v1::ListLabelValuesResponse response;
    EXPECT_OK(ListLabelValues(context_, request, &response));
    std::string out;
    for (const v1::LabelValue& value : response.values()) {
      out += value.value() + " " + std::to_string(static_cast<int>(value.count())) + ";";
    }
    return out;
  };
  EXPECT_EQ(values("endpoint"), "GET / 7;GET /x 1;");
  EXPECT_EQ(values("status"), "200 6;500 2;");
  EXPECT_EQ(values("protocol"), "http 8;");
  EXPECT_EQ(values("host"), "h 8;");
  EXPECT_THAT(values("service"), HasSubstr("shop:80 8;"));
  v1::ListLabelValuesRequest request;
  request.set_field("nonsense");
  v1::ListLabelValuesResponse response;
  EXPECT_TRUE(absl::IsInvalidArgument(ListLabelValues(context_, request, &response)));
}

}  // namespace
}  // namespace kindling::controller
