#include "controller/query/dns_queries.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "base/testing/fake_clock.h"
#include "base/testing/status_matchers.h"
#include "controller/query/flow_cache.h"
#include "controller/testing/memory_store.h"
#include "kindling/v1/query.pb.h"
#include "model/dns_metrics.h"
#include "model/edge_labels.h"

namespace kindling::controller {
namespace {

namespace dns = model::dns;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

constexpr int64_t kSecondNs = 1'000'000'000;
constexpr int64_t kStartNs = 1'700'000'000 * kSecondNs;
constexpr int64_t kMs = 1'000'000;

// The shop on host a asks the resolver on host b; each side knows the other by its address.
const model::Party kShop{
    .workload = "shop", .workload_kind = "process", .host = "a", .address = "10.0.0.1"};
const model::Party kResolver{.workload = "dnsmasq:53",
                             .workload_kind = "process",
                             .host = "b",
                             .address = "10.0.0.2",
                             .port = 53};
const model::EdgeEnds kByClient{.observer = model::Side::kClient,
                                .client = kShop,
                                .server = {.address = "10.0.0.2", .port = 53}};
const model::EdgeEnds kByServer{
    .observer = model::Side::kServer, .client = {.address = "10.0.0.1"}, .server = kResolver};

class DnsQueriesTest : public ::testing::Test {
 protected:
  DnsQueriesTest() {
    store_.oldest_ns = kStartNs;
    // What tells who asks from where, and whose the server's address is: for UDP, and no other.
    model::Batch batch;
    batch.addresses = {{.first_ns = kStartNs,
                        .address = "10.0.0.2",
                        .port = 53,
                        .transport = model::Transport::kUdp,
                        .workload = "dnsmasq:53",
                        .workload_kind = "process",
                        .host = "b"}};
    for (const model::EdgeEnds& ends : {kByClient, kByServer}) {
      model::EdgeStats& row = batch.edges.emplace_back();
      row.window_start_ns = kStartNs + 60 * kSecondNs;
      row.window_ns = 10 * kSecondNs;
      row.observer = ends.observer;
      row.client = ends.client;
      row.server = ends.server;
      row.protocol = model::Protocol::kDns;
      row.transport = model::Transport::kUdp;
      row.endpoint = "A db.test";
      row.outcome = model::Outcome::kOk;
      row.count = 9;
    }
    Append(std::move(batch));
  }

  void Append(model::Batch batch) {
    std::vector<model::Batch> batches = {std::move(batch)};
    ASSERT_OK(store_.Append(std::move(batches)));
  }
  void Add(const model::EdgeEnds& ends, const char* metric, const char* name,
           model::MetricPoint point, const model::Labels& further = {},
           model::MetricKind kind = model::MetricKind::kDelta) {
    model::Batch batch;
    model::Labels labels = model::LabelsOf(ends);
    model::AddLabel(dns::kName, name, labels);
    model::AddLabel(model::kTransportLabel, "udp", labels);
    for (const auto& [label, value] : further) model::AddLabel(label, value, labels);
    batch.series = {{.name = metric, .kind = kind, .labels = std::move(labels)}};
    point.time_ns = kStartNs + 60 * kSecondNs;
    batch.points = {std::move(point)};
    Append(std::move(batch));
  }
  void Queries(const model::EdgeEnds& ends, const char* name, const char* result, double count,
               const char* type = "A") {
    Add(ends, dns::kQueries, name, {.value = count}, {{dns::kType, type}, {dns::kResult, result}});
  }
  void Latency(const model::EdgeEnds& ends, const char* name, const std::vector<int64_t>& ns) {
    model::MetricPoint point;
    for (const int64_t value : ns) point.histogram.Record(value);
    Add(ends, dns::kLatency, name, std::move(point), {}, model::MetricKind::kHistogram);
  }

  struct Question {
    std::string filter;
    bool by_name = false;
    std::string name;
  };
  v1::ListDnsResponse List() { return List(Question()); }
  v1::ListDnsResponse List(const Question& question) {
    v1::ListDnsRequest request;
    request.set_filter(question.filter);
    request.set_by_name(question.by_name);
    request.set_name(question.name);
    v1::ListDnsResponse response;
    EXPECT_OK(ListDns(context_, request, &response));
    return response;
  }
  static std::vector<std::string> RowsOf(const v1::ListDnsResponse& response) {
    std::vector<std::string> rows;
    for (const v1::DnsEdge& edge : response.edges()) {
      rows.push_back(edge.client() + ">" + edge.server() + " " + edge.observer() + " " +
                     edge.name() + " " + std::to_string(static_cast<int>(edge.queries())));
    }
    return rows;
  }

  MemoryStore store_;
  AgentRegistry registry_;
  base::FakeClock clock_{kSecondNs, kStartNs + 600 * kSecondNs};
  FlowCache flows_;
  const QuerySources sources_{store_, registry_, clock_, flows_};
  bool cancelled_ = false;
  QueryContext context_{sources_, {.tenant = "t", .cluster = "c"}, [this] { return cancelled_; }};
};

TEST_F(DnsQueriesTest, EachEndHasARowUnderTheSameNames) {
  Queries(kByClient, "db.test", "NOERROR", 5);
  Queries(kByClient, "db.test", "timeout", 2);
  Queries(kByClient, "nosuch.test", "NXDOMAIN", 3, "AAAA");
  Latency(kByClient, "db.test", {2 * kMs, 2 * kMs, 2 * kMs});
  Latency(kByClient, "nosuch.test", {9 * kMs});
  Add(kByClient, dns::kRetries, "db.test", {.value = 2});
  Add(kByClient, dns::kLateAnswers, "db.test", {.value = 1});
  Add(kByClient, dns::kTruncated, "db.test", {.value = 4});
  Add(kByClient, dns::kTcpFallbacks, "db.test", {.value = 3});
  Add(kByClient, dns::kSearchWaste, "db.test", {.value = 6});
  Queries(kByServer, "db.test", "NOERROR", 5);
  const v1::ListDnsResponse response = List();
  ASSERT_THAT(RowsOf(response),
              ElementsAre("shop>dnsmasq:53 client  10", "shop>dnsmasq:53 server  5"));
  const v1::DnsEdge& client = response.edges(0);
  EXPECT_THAT(client.results(),
              UnorderedElementsAre(Pair("NOERROR", 5), Pair("timeout", 2), Pair("NXDOMAIN", 3)));
  EXPECT_THAT(client.types(), UnorderedElementsAre(Pair("A", 7), Pair("AAAA", 3)));
  EXPECT_NEAR(client.latency_p50_ms(), 2, 0.05);
  EXPECT_NEAR(client.latency_p99_ms(), 9, 0.2);
  EXPECT_EQ(client.retries(), 2);
  EXPECT_EQ(client.late_answers(), 1);
  EXPECT_EQ(client.truncated(), 4);
  EXPECT_EQ(client.tcp_fallbacks(), 3);
  EXPECT_EQ(client.search_waste(), 6);
  EXPECT_EQ(client.server_address(), "10.0.0.2:53");
  EXPECT_EQ(client.server_kind(), "process");
  EXPECT_EQ(response.completeness().captured(), 15);
  EXPECT_EQ(response.completeness().fraction(), 1);
}

TEST_F(DnsQueriesTest, ByName) {
  Queries(kByClient, "db.test", "NOERROR", 5);
  Queries(kByClient, "nosuch.test", "NXDOMAIN", 3);
  Queries(kByClient, "nosuch.test", "NXDOMAIN", 4, "AAAA");
  EXPECT_THAT(RowsOf(List({.by_name = true})), ElementsAre("shop>dnsmasq:53 client db.test 5",
                                                           "shop>dnsmasq:53 client nosuch.test 7"));
  EXPECT_THAT(RowsOf(List({.by_name = true, .name = "db.test"})),
              ElementsAre("shop>dnsmasq:53 client db.test 5"));
  EXPECT_THAT(RowsOf(List({.name = "nosuch.test"})), ElementsAre("shop>dnsmasq:53 client  7"));
  EXPECT_EQ(List({.name = "nosuch"}).edges_size(), 0);
}

TEST_F(DnsQueriesTest, Filters) {
  Queries(kByClient, "db.test", "NOERROR", 5);
  Queries(kByServer, "db.test", "NOERROR", 5);
  EXPECT_EQ(List({.filter = "side=client"}).edges_size(), 1);
  EXPECT_EQ(List({.filter = "service=shop"}).edges_size(), 2);
  EXPECT_EQ(List({.filter = "host=b server=dnsmasq:53"}).edges_size(), 2);
  EXPECT_EQ(List({.filter = "address=10.0.0.9"}).edges_size(), 0);
  v1::ListDnsRequest request;
  request.set_filter("sent>1");
  v1::ListDnsResponse response;
  const absl::Status status = ListDns(context_, request, &response);
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
}

TEST_F(DnsQueriesTest, WhatTheStoreFoldedIsShownAsOther) {
  model::Batch batch;
  batch.series = {{.name = dns::kQueries, .kind = model::MetricKind::kDelta, .labels = {}}};
  batch.points = {{.series = 0, .time_ns = kStartNs + 60 * kSecondNs, .value = 7}};
  Append(std::move(batch));
  const v1::ListDnsResponse response = List({.by_name = true});
  ASSERT_THAT(RowsOf(response), ElementsAre("(other)>(other) unknown (other) 7"));
  EXPECT_THAT(response.edges(0).results(), UnorderedElementsAre(Pair("(other)", 7)));
}

TEST_F(DnsQueriesTest, LostRequestsMakeTheAnswerPartial) {
  Queries(kByClient, "db.test", "NOERROR", 8);
  model::Batch batch;
  for (const auto protocol : {model::Protocol::kDns, model::Protocol::kHttp}) {
    model::EdgeStats& row = batch.edges.emplace_back();
    row.window_start_ns = kStartNs + 60 * kSecondNs;
    row.window_ns = 10 * kSecondNs;
    row.observer = model::Side::kClient;
    row.client = kByClient.client;
    row.server = kByClient.server;
    row.protocol = protocol;
    row.transport = model::Transport::kUdp;
    row.lost = protocol == model::Protocol::kDns ? 2 : 50;
  }
  Append(std::move(batch));
  const v1::Completeness completeness = List().completeness();
  EXPECT_EQ(completeness.lost(), 2);
  EXPECT_EQ(completeness.fraction(), 0.8);
  EXPECT_EQ(List({.filter = "client=curl"}).completeness().lost(), 0);
}

TEST_F(DnsQueriesTest, OtherMetricsAreNone) {
  Add(kByClient, "tcp_connects", "x", {.value = 1});
  Add(kByClient, "dns_of_somebody_else", "x", {.value = 1});
  const v1::ListDnsResponse response = List();
  EXPECT_THAT(RowsOf(response), ElementsAre("shop>dnsmasq:53 client  0"));
  EXPECT_EQ(response.completeness().captured(), 0);
}

TEST_F(DnsQueriesTest, TooManyNamesAreRefused) {
  model::Batch batch;
  for (int i = 0; i < 20'002; ++i) {
    model::Labels labels = model::LabelsOf(kByClient);
    model::AddLabel(dns::kName, "n" + std::to_string(i), labels);
    batch.series.push_back(
        {.name = dns::kRetries, .kind = model::MetricKind::kDelta, .labels = std::move(labels)});
    batch.points.push_back(
        {.series = static_cast<uint32_t>(i), .time_ns = kStartNs + 60 * kSecondNs, .value = 1});
  }
  Append(std::move(batch));
  v1::ListDnsRequest request;
  v1::ListDnsResponse response;
  EXPECT_OK(ListDns(context_, request, &response));
  EXPECT_EQ(response.edges(0).retries(), 20'002);
  request.set_by_name(true);
  const absl::Status status = ListDns(context_, request, &response);
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("ask for less time"));
}

}  // namespace
}  // namespace kindling::controller
