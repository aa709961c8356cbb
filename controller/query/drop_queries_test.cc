#include "controller/query/drop_queries.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_format.h"
#include "base/testing/fake_clock.h"
#include "base/testing/status_matchers.h"
#include "controller/query/flow_cache.h"
#include "controller/testing/memory_store.h"
#include "kindling/v1/query.pb.h"
#include "model/drop_metrics.h"
#include "model/drop_place.h"
#include "model/edge_labels.h"
#include "model/tcp_metrics.h"

namespace kindling::controller {
namespace {

namespace drops = model::drops;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr int64_t kSecondNs = 1'000'000'000;
constexpr int64_t kStartNs = 1'700'000'000 * kSecondNs;

const model::Party kShop{.workload = "shop:80",
                         .workload_kind = "process",
                         .host = "b",
                         .address = "10.0.0.2",
                         .port = 80};
const model::EdgeEnds kByServer{
    .observer = model::Side::kServer, .client = {.address = "10.0.0.1"}, .server = kShop};
const model::EdgeEnds kSocket{.observer = model::Side::kServer, .server = kShop};

class DropQueriesTest : public ::testing::Test {
 protected:
  DropQueriesTest() { store_.oldest_ns = kStartNs; }

  void Add(const char* name, model::Labels labels, double value, int at_s) {
    model::Batch batch;
    batch.series = {{.name = name, .kind = model::MetricKind::kDelta, .labels = std::move(labels)}};
    batch.points = {{.time_ns = kStartNs + at_s * kSecondNs, .value = value}};
    std::vector<model::Batch> batches = {std::move(batch)};
    ASSERT_OK(store_.Append(std::move(batches)));
  }
  void Drop(const model::EdgeEnds& ends, const std::string& reason, double packets,
            const std::string& transport = "tcp", int at_s = 60) {
    model::Labels labels = model::LabelsOf(ends);
    model::AddLabel(drops::kDirection, drops::kIn, labels);
    model::AddLabel(drops::kHost, "b", labels);
    model::AddLabel(drops::kPlace, model::DropPlaceOf(reason), labels);
    model::AddLabel(drops::kReason, reason, labels);
    model::AddLabel(model::kTransportLabel, transport, labels);
    Add(drops::kPackets, labels, packets, at_s);
    Add(drops::kBytes, std::move(labels), packets * 100, at_s);
  }
  void SocketCount(double packets) {
    model::Labels labels = model::LabelsOf(kSocket);
    model::AddLabel(drops::kHost, "b", labels);
    model::AddLabel(model::kTransportLabel, "udp", labels);
    Add(drops::kUdpReceive, std::move(labels), packets, 60);
  }
  v1::ListDropsResponse List(const std::string& filter = "") {
    v1::ListDropsRequest request;
    request.set_filter(filter);
    v1::ListDropsResponse response;
    EXPECT_OK(ListDrops(context_, request, &response));
    return response;
  }
  static std::vector<std::string> RowsOf(const v1::ListDropsResponse& response) {
    std::vector<std::string> rows;
    for (const v1::DroppedPackets& row : response.drops()) {
      rows.push_back(absl::StrFormat("%s>%s %s %s %s %s %s %s %.0f %.0f", row.client(),
                                     row.server(), row.observer(), row.host(), row.place(),
                                     row.reason(), row.transport(), row.direction(), row.packets(),
                                     row.bytes()));
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

TEST_F(DropQueriesTest, ByEdgeAndReason) {
  Drop(kByServer, "netfilter_drop", 3);
  Drop(kByServer, "netfilter_drop", 4, "tcp", 70);
  Drop(kByServer, "tcp_csum", 1);
  const v1::ListDropsResponse response = List();
  EXPECT_THAT(RowsOf(response),
              ElementsAre("10.0.0.1>shop:80 server b checksum tcp_csum tcp in 1 100",
                          "10.0.0.1>shop:80 server b netfilter netfilter_drop tcp in 7 700"));
  EXPECT_EQ(response.drops(1).server_address(), "10.0.0.2:80");
  EXPECT_EQ(response.drops(1).last_ns(), kStartNs + 70 * kSecondNs);
  EXPECT_EQ(response.completeness().captured(), 8);
}

TEST_F(DropQueriesTest, WhatASocketCountedIsShownOnce) {
  SocketCount(10);
  EXPECT_THAT(RowsOf(List()),
              ElementsAre(">shop:80 server b receive_buffer receive_queue udp  10 0"));
  Drop(kByServer, "socket_rcvbuff", 7, "udp");
  Drop(kByServer, "no_socket", 5, "udp");  // no socket counts these
  EXPECT_THAT(RowsOf(List()),
              ElementsAre(">shop:80 server b receive_buffer receive_queue udp  3 0",
                          "10.0.0.1>shop:80 server b no_socket no_socket udp in 5 500",
                          "10.0.0.1>shop:80 server b receive_buffer socket_rcvbuff udp in 7 700"));
  Drop(kByServer, "udp_csum", 4, "udp");  // one more than the socket has told of by now
  EXPECT_THAT(RowsOf(List()),
              ElementsAre("10.0.0.1>shop:80 server b checksum udp_csum udp in 4 400",
                          "10.0.0.1>shop:80 server b no_socket no_socket udp in 5 500",
                          "10.0.0.1>shop:80 server b receive_buffer socket_rcvbuff udp in 7 700"));
}

TEST_F(DropQueriesTest, AListenQueueLikewise) {
  Add(model::tcp::kListenDrops, model::LabelsOf(kSocket), 6, 60);
  Drop(kByServer, "tcp_listen_overflow", 2);
  EXPECT_THAT(RowsOf(List()),
              ElementsAre(">shop:80 server b listen_queue listen_queue tcp  4 0",
                          "10.0.0.1>shop:80 server b listen_queue tcp_listen_overflow tcp in 2 "
                          "200"));
}

TEST_F(DropQueriesTest, AFilterPicksEdges) {
  Drop(kByServer, "netfilter_drop", 3);
  SocketCount(1);
  EXPECT_THAT(List("client=10.0.0.1").drops(), ::testing::SizeIs(1));
  EXPECT_THAT(List("server=shop:80 side=server").drops(), ::testing::SizeIs(2));
  EXPECT_THAT(List("server=other:80").drops(), IsEmpty());
  v1::ListDropsRequest request;
  v1::ListDropsResponse response;
  request.set_filter("latency>1s");
  EXPECT_EQ(ListDrops(context_, request, &response).code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(DropQueriesTest, BeyondTheCapForSeriesTheNumberStays) {
  Add(drops::kPackets, {}, 9, 60);
  EXPECT_THAT(RowsOf(List()),
              ElementsAre("(other)>(other) unknown (other) (other) (other) (other) (other) 9 0"));
}

}  // namespace
}  // namespace kindling::controller
