#include "controller/query/tcp_queries.h"

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
#include "model/edge_labels.h"
#include "model/tcp_metrics.h"

namespace kindling::controller {
namespace {

namespace tcp = model::tcp;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

constexpr int64_t kSecondNs = 1'000'000'000;
constexpr int64_t kStartNs = 1'700'000'000 * kSecondNs;
constexpr int64_t kMs = 1'000'000;

// curl on host a calls the shop on host b; each side knows the other by its address.
const model::Party kCurl{
    .workload = "curl", .workload_kind = "process", .host = "a", .address = "10.0.0.1"};
const model::Party kShop{.workload = "shop:80",
                         .workload_kind = "process",
                         .host = "b",
                         .address = "10.0.0.2",
                         .port = 80};
const model::EdgeEnds kByClient{.observer = model::Side::kClient,
                                .client = kCurl,
                                .server = {.address = "10.0.0.2", .port = 80}};
const model::EdgeEnds kByServer{
    .observer = model::Side::kServer, .client = {.address = "10.0.0.1"}, .server = kShop};

class TcpQueriesTest : public ::testing::Test {
 protected:
  TcpQueriesTest() { store_.oldest_ns = kStartNs; }

  void Append(model::Batch batch) {
    std::vector<model::Batch> batches = {std::move(batch)};
    ASSERT_OK(store_.Append(std::move(batches)));
  }
  void Add(const model::EdgeEnds& ends, const char* name, model::MetricKind kind,
           model::MetricPoint point, const char* label = nullptr, const char* value = nullptr) {
    model::Batch batch;
    model::Labels labels = model::LabelsOf(ends);
    if (label != nullptr) model::AddLabel(label, value, labels);
    batch.series = {{.name = name, .kind = kind, .labels = std::move(labels)}};
    if (point.time_ns == 0) point.time_ns = kStartNs + 60 * kSecondNs;
    batch.points = {std::move(point)};
    Append(std::move(batch));
  }
  void Count(const model::EdgeEnds& ends, const char* name, double value,
             const char* label = nullptr, const char* text = nullptr) {
    Add(ends, name, model::MetricKind::kDelta, {.value = value}, label, text);
  }
  void Times(const model::EdgeEnds& ends, const char* name, const std::vector<int64_t>& ns,
             const char* label = nullptr, const char* text = nullptr) {
    model::MetricPoint point;
    for (const int64_t value : ns) point.histogram.Record(value);
    Add(ends, name, model::MetricKind::kHistogram, std::move(point), label, text);
  }
  // What tells who calls from where: the requests of both sides, and whose the server's address is.
  void AddRequests(uint64_t by_client, uint64_t by_server) {
    model::Batch batch;
    batch.addresses = {{.first_ns = kStartNs,
                        .address = "10.0.0.2",
                        .port = 80,
                        .transport = model::Transport::kTcp,
                        .workload = "shop:80",
                        .workload_kind = "process",
                        .host = "b"}};
    for (const auto& [ends, count] : {std::pair(kByClient, by_client), {kByServer, by_server}}) {
      model::EdgeStats& row = batch.edges.emplace_back();
      row.window_start_ns = kStartNs + 60 * kSecondNs;
      row.window_ns = 10 * kSecondNs;
      row.observer = ends.observer;
      row.client = ends.client;
      row.server = ends.server;
      row.protocol = model::Protocol::kHttp;
      row.transport = model::Transport::kTcp;
      row.endpoint = "GET /";
      row.outcome = model::Outcome::kOk;
      row.count = count;
    }
    Append(std::move(batch));
  }
  v1::ListTcpResponse List(const std::string& filter = "") {
    v1::ListTcpRequest request;
    request.set_filter(filter);
    v1::ListTcpResponse response;
    EXPECT_OK(ListTcp(context_, request, &response));
    return response;
  }
  static std::vector<std::string> NamesOf(const v1::ListTcpResponse& response) {
    std::vector<std::string> names;
    for (const v1::TcpEdge& edge : response.edges()) {
      names.push_back(edge.client() + ">" + edge.server() + " " + edge.observer());
    }
    return names;
  }

  MemoryStore store_;
  AgentRegistry registry_;
  base::FakeClock clock_{kSecondNs, kStartNs + 600 * kSecondNs};
  FlowCache flows_;
  const QuerySources sources_{store_, registry_, clock_, flows_};
  bool cancelled_ = false;
  QueryContext context_{sources_, {.tenant = "t", .cluster = "c"}, [this] { return cancelled_; }};
};

TEST_F(TcpQueriesTest, EachEndHasARowUnderTheSameNames) {
  AddRequests(5, 5);
  Count(kByClient, tcp::kConnects, 4, tcp::kResult, "ok");
  Count(kByClient, tcp::kConnects, 2, tcp::kResult, "ECONNREFUSED");
  Times(kByClient, tcp::kConnectTime, {2 * kMs, 2 * kMs}, tcp::kResult, "ok");
  Times(kByClient, tcp::kConnectTime, {900 * kMs}, tcp::kResult, "ECONNREFUSED");
  Times(kByClient, tcp::kSrtt, {5 * kMs});
  Times(kByClient, tcp::kSrtt, {7 * kMs});
  Count(kByClient, tcp::kRetransmits, 6, tcp::kKind, "fast");
  Count(kByClient, tcp::kRetransmits, 3, tcp::kKind, "syn");
  Count(kByClient, tcp::kSentSegments, 120);
  Count(kByClient, tcp::kSentBytes, 1000);
  Count(kByClient, tcp::kReceivedBytes, 50);
  Count(kByServer, tcp::kAccepts, 4);
  Count(kByServer, tcp::kSentBytes, 50);
  Count(kByServer, tcp::kReceivedBytes, 1000);
  Count(kByServer, tcp::kResetsSent, 1, tcp::kReason, "abort_on_close");
  Count(kByServer, tcp::kEnds, 3, tcp::kReason, "closed");
  const v1::ListTcpResponse response = List();
  ASSERT_THAT(NamesOf(response), ElementsAre("curl>shop:80 client", "curl>shop:80 server"));
  const v1::TcpEdge& client = response.edges(0);
  EXPECT_EQ(client.connects(), 4);
  EXPECT_THAT(client.connect_failures(), UnorderedElementsAre(Pair("ECONNREFUSED", 2)));
  EXPECT_NEAR(client.connect_p99_ms(), 2, 0.05);  // failures apart
  EXPECT_NEAR(client.rtt_p50_ms(), 5, 0.15);
  EXPECT_NEAR(client.rtt_p99_ms(), 7, 0.15);
  EXPECT_THAT(client.retransmits(), UnorderedElementsAre(Pair("fast", 6), Pair("syn", 3)));
  EXPECT_EQ(client.retransmit_percent(), 5);  // SYNs are not among the segments with data
  EXPECT_EQ(client.bytes_sent(), 1000);
  EXPECT_EQ(client.bytes_received(), 50);
  EXPECT_EQ(client.server_address(), "10.0.0.2:80");
  EXPECT_EQ(client.server_kind(), "process");
  const v1::TcpEdge& server = response.edges(1);
  EXPECT_EQ(server.accepts(), 4);
  EXPECT_EQ(server.bytes_sent(), 1000);  // client to server, whoever tells
  EXPECT_EQ(server.bytes_received(), 50);
  EXPECT_THAT(server.resets_sent(), UnorderedElementsAre(Pair("abort_on_close", 1)));
  EXPECT_EQ(response.completeness().captured(), 10);
  EXPECT_EQ(response.completeness().fraction(), 1);
}

TEST_F(TcpQueriesTest, WhoOnlyHasAnAddressIsNeverAWorkload) {
  AddRequests(5, 9);  // somebody else calls from there too
  Count(kByServer, tcp::kAccepts, 9);
  EXPECT_THAT(NamesOf(List()), ElementsAre("10.0.0.1>shop:80 server"));
}

TEST_F(TcpQueriesTest, AListenerHasARowOfItsOwn) {
  const model::EdgeEnds listener{.observer = model::Side::kServer, .server = kShop};
  Count(listener, tcp::kListenDrops, 5);
  Add(listener, tcp::kAcceptQueue, model::MetricKind::kGauge, {.value = 3});
  Add(listener, tcp::kAcceptQueueMax, model::MetricKind::kGauge, {.value = 128});
  Count(kByServer, tcp::kAccepts, 1);
  const v1::ListTcpResponse response = List();
  ASSERT_THAT(NamesOf(response), ElementsAre(">shop:80 server", "10.0.0.1>shop:80 server"));
  EXPECT_EQ(response.edges(0).listen_drops(), 5);
  EXPECT_EQ(response.edges(0).accept_queue(), 3);
  EXPECT_EQ(response.edges(0).accept_queue_max(), 128);
  EXPECT_EQ(response.edges(0).client_kind(), "");
}

TEST_F(TcpQueriesTest, Filters) {
  AddRequests(5, 5);
  Count(kByClient, tcp::kSentBytes, 1000);
  Count(kByServer, tcp::kAccepts, 1);
  EXPECT_EQ(List("side=client").edges_size(), 1);
  EXPECT_EQ(List("service=curl").edges_size(), 2);
  EXPECT_EQ(List("host=b server=shop:80").edges_size(), 2);
  EXPECT_EQ(List("address=10.0.0.1 sent>=1000").edges_size(), 1);
  EXPECT_EQ(List("client=wget").edges_size(), 0);
  v1::ListTcpRequest request;
  request.set_filter("protocol=http");
  v1::ListTcpResponse response;
  const absl::Status status = ListTcp(context_, request, &response);
  EXPECT_TRUE(absl::IsInvalidArgument(status));
  EXPECT_THAT(std::string(status.message()), HasSubstr("TCP edges"));
}

TEST_F(TcpQueriesTest, WhatTheStoreFoldedIsShownAsOther) {
  model::Batch batch;
  batch.series = {{.name = tcp::kConnects,
                   .kind = model::MetricKind::kDelta,
                   .labels = {{"overflow", "true"}}}};
  batch.points = {{.time_ns = kStartNs, .value = 7}};
  Append(std::move(batch));
  const v1::ListTcpResponse response = List();
  ASSERT_THAT(NamesOf(response), ElementsAre("(other)>(other) unknown"));
  // Whether these failed is not known.
  EXPECT_EQ(response.edges(0).connects(), 7);
  EXPECT_EQ(response.edges(0).connect_failures_size(), 0);
}

TEST_F(TcpQueriesTest, LossesMakeTheAnswerPartial) {
  Count(kByServer, tcp::kAccepts, 8);
  model::Batch batch;
  batch.losses = {
      {.time_ns = kStartNs, .stage = model::LossStage::kByteGap, .host = "b", .bytes = 5},
      {.time_ns = kStartNs, .stage = model::LossStage::kCap, .host = "b", .events = 2}};
  Append(std::move(batch));
  // Bytes that are missing from a stream are none of TCP's.
  const v1::Completeness completeness = List().completeness();
  EXPECT_EQ(completeness.captured(), 8);
  EXPECT_EQ(completeness.lost_other(), 2);
  EXPECT_EQ(completeness.fraction(), 0.8);
  EXPECT_EQ(completeness.by_stage_size(), 1);
  EXPECT_EQ(List("host=b").completeness().lost_other(), 2);
  Count(kByClient, tcp::kConnects, 1, tcp::kResult, "ok");
  EXPECT_EQ(List("host=a").completeness().fraction(), 1);
}

TEST_F(TcpQueriesTest, AQuestionNobodyWaitsForIsLeft) {
  Count(kByServer, tcp::kAccepts, 8);
  cancelled_ = true;
  v1::ListTcpResponse response;
  EXPECT_TRUE(absl::IsDeadlineExceeded(ListTcp(context_, {}, &response)));
}

}  // namespace
}  // namespace kindling::controller
