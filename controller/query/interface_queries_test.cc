#include "controller/query/interface_queries.h"

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
#include "model/host_metrics.h"

namespace kindling::controller {
namespace {

using model::host::Metric;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

constexpr int64_t kSecondNs = 1'000'000'000;
constexpr int64_t kStartNs = 1'700'000'000 * kSecondNs;

class InterfaceQueriesTest : public ::testing::Test {
 protected:
  InterfaceQueriesTest() { store_.oldest_ns = kStartNs; }

  void Add(const std::string& host, const std::string& netns, const std::string& device,
           Metric metric, double value, const std::string& detail = "", int seconds = 60) {
    const model::host::MetricInfo& info = model::host::InfoOf(metric);
    model::Batch batch;
    model::MetricSeries series{.name = info.name, .kind = info.kind, .labels = {}};
    for (const auto& [name, text] : {std::pair(model::host::kDevice, device),
                                     {model::host::kHost, host},
                                     {model::host::kNetns, netns},
                                     {info.detail, detail}}) {
      if (!text.empty()) series.labels.emplace_back(name, text);
    }
    batch.series = {std::move(series)};
    batch.points = {{.time_ns = kStartNs + seconds * kSecondNs, .value = value}};
    std::vector<model::Batch> batches = {std::move(batch)};
    ASSERT_OK(store_.Append(std::move(batches)));
  }
  v1::ListInterfacesResponse List(const std::string& filter = "") {
    v1::ListInterfacesRequest request;
    request.set_filter(filter);
    v1::ListInterfacesResponse response;
    EXPECT_OK(ListInterfaces(context_, request, &response));
    return response;
  }
  static std::vector<std::string> DevicesOf(const v1::ListInterfacesResponse& response) {
    std::vector<std::string> names;
    for (const v1::Interface& device : response.interfaces()) {
      names.push_back(device.host() + "/" + device.netns() + "/" + device.device());
    }
    return names;
  }

  MemoryStore store_;
  AgentRegistry registry_;
  base::FakeClock clock_{kSecondNs, kStartNs + 600 * kSecondNs};
  FlowCache flows_;
  const QuerySources sources_{store_, registry_, clock_, flows_};
  QueryContext context_{sources_, {.tenant = "t", .cluster = "c"}, [] { return false; }};
};

TEST_F(InterfaceQueriesTest, CountersAreSummedAndGaugesAreTheLastOrTheMost) {
  for (const int seconds : {60, 70, 80}) {
    Add("a", "shop", "eth0", Metric::kLinkUp, seconds == 80 ? 0 : 1, "", seconds);
    Add("a", "shop", "eth0", Metric::kReceivedBytes, 100, "", seconds);
    Add("a", "shop", "eth0", Metric::kQdiscDrops, 2, "tbf 8001: root", seconds);
    Add("a", "shop", "eth0", Metric::kQdiscBacklogBytes, seconds == 70 ? 9 : 1, "tbf 8001: root",
        seconds);
    Add("a", "shop", "", Metric::kConntrackEntries, seconds, "", seconds);
    Add("a", "shop", "", Metric::kConntrackMax, 1000, "", seconds);
    Add("a", "shop", "", Metric::kSockets, seconds, "tcp", seconds);
    Add("a", "", "", Metric::kSoftirqSqueezes, 1, "0", seconds);
    Add("a", "", "", Metric::kSoftirqSqueezes, 2, "1", seconds);
  }
  Add("a", "shop", "", Metric::kLocalPortsUsed, 3, "10.0.0.1");
  Add("a", "shop", "", Metric::kLocalPortsUsed, 5, "10.0.0.2");
  Add("a", "shop", "", Metric::kProtocolDrops, 4, "Udp.RcvbufErrors");
  const v1::ListInterfacesResponse response = List();
  ASSERT_THAT(DevicesOf(response), ElementsAre("a/shop/eth0"));
  const v1::Interface& device = response.interfaces(0);
  EXPECT_FALSE(device.up());
  EXPECT_EQ(device.seconds(), 20);
  EXPECT_EQ(device.received_bytes(), 300);
  ASSERT_EQ(device.qdiscs_size(), 1);
  EXPECT_EQ(device.qdiscs(0).name(), "tbf 8001: root");
  EXPECT_EQ(device.qdiscs(0).drops(), 6);
  EXPECT_EQ(device.qdiscs(0).backlog_bytes(), 9);
  ASSERT_EQ(response.namespaces_size(), 1);
  const v1::NetworkNamespace& netns = response.namespaces(0);
  EXPECT_EQ(netns.netns(), "shop");
  EXPECT_EQ(netns.conntrack_entries(), 80);
  EXPECT_EQ(netns.conntrack_max(), 1000);
  EXPECT_EQ(netns.local_ports_used(), 5);
  EXPECT_EQ(netns.local_ports_address(), "10.0.0.2");
  EXPECT_THAT(netns.sockets(), UnorderedElementsAre(Pair("tcp", 80)));
  EXPECT_THAT(netns.protocol_drops(), UnorderedElementsAre(Pair("Udp.RcvbufErrors", 4)));
  ASSERT_EQ(response.hosts_size(), 1);
  EXPECT_EQ(response.hosts(0).softirq_squeezes(), 9);
  EXPECT_EQ(response.completeness().fraction(), 1);
}

TEST_F(InterfaceQueriesTest, AFilterPicksPlaces) {
  Add("a", "shop", "eth0", Metric::kLinkUp, 1);
  Add("a", "shop", "lo", Metric::kLinkUp, 1);
  Add("b", "shop", "eth0", Metric::kLinkUp, 1);
  Add("b", "shop", "", Metric::kConntrackMax, 1);
  Add("b", "", "", Metric::kTcpMemoryBytes, 1);
  EXPECT_THAT(DevicesOf(List("device=eth0")), ElementsAre("a/shop/eth0", "b/shop/eth0"));
  EXPECT_EQ(List("device=eth0").namespaces_size(), 0);
  const v1::ListInterfacesResponse of_host = List("host=b");
  EXPECT_THAT(DevicesOf(of_host), ElementsAre("b/shop/eth0"));
  EXPECT_EQ(of_host.namespaces_size(), 1);
  EXPECT_EQ(of_host.hosts_size(), 1);
  EXPECT_EQ(List("netns=shop").hosts_size(), 0);
  v1::ListInterfacesRequest request;
  request.set_filter("client=curl");
  v1::ListInterfacesResponse response;
  EXPECT_THAT(std::string(ListInterfaces(context_, request, &response).message()),
              HasSubstr("client"));
}

TEST_F(InterfaceQueriesTest, WhatWasNotReadMakesTheAnswerPartial) {
  Add("a", "shop", "eth0", Metric::kLinkUp, 1);
  Add("b", "shop", "eth0", Metric::kLinkUp, 1);
  Add("a", "", "", Metric::kUnread, 7, model::host::kGone);  // no failure
  EXPECT_EQ(List().completeness().fraction(), 1);
  Add("a", "", "", Metric::kUnread, 2, "sockets");
  const v1::ListInterfacesResponse response = List();
  EXPECT_EQ(response.completeness().lost_other(), 2);
  EXPECT_LT(response.completeness().fraction(), 1);
  EXPECT_THAT(response.hosts(0).unread(),
              UnorderedElementsAre(Pair(model::host::kGone, 7), Pair("sockets", 2)));
  EXPECT_LT(List("device=eth0 host=a").completeness().fraction(), 1);
  EXPECT_EQ(List("host=b").completeness().fraction(), 1);
}

TEST_F(InterfaceQueriesTest, BeyondTheStoresCapThereIsOneOther) {
  model::Batch batch;
  batch.series = {{.name = "net_sent_bytes", .kind = model::MetricKind::kDelta, .labels = {}},
                  {.name = "net_of_others", .kind = model::MetricKind::kDelta, .labels = {}}};
  batch.points = {{.series = 0, .time_ns = kStartNs, .value = 5},
                  {.series = 1, .time_ns = kStartNs, .value = 5}};
  std::vector<model::Batch> batches = {std::move(batch)};
  ASSERT_OK(store_.Append(std::move(batches)));
  EXPECT_THAT(DevicesOf(List()), ElementsAre("(other)/(other)/(other)"));
}

}  // namespace
}  // namespace kindling::controller
