#include "controller/topology/service_map.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/testing/status_matchers.h"

namespace kindling::controller {
namespace {

using model::Outcome;
using model::Protocol;
using model::Side;
using model::Transport;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr int64_t kSecondNs = 1'000'000'000;
constexpr int64_t kStartNs = 1'700'000'000 * kSecondNs;
constexpr int64_t kEndNs = kStartNs + 3600 * kSecondNs;
constexpr int64_t kMiddleNs = kStartNs + 1800 * kSecondNs;

model::Party Workload(const std::string& name, const std::string& host,
                      const std::string& address = "", uint16_t port = 0) {
  return {
      .workload = name, .workload_kind = "process", .host = host, .address = address, .port = port};
}
model::Party Address(const std::string& address, uint16_t port = 0,
                     const std::string& dns_name = "") {
  return {.address = address, .port = port, .dns_name = dns_name};
}

// Two hosts: clients on "a" (10.0.0.1), nginx on "b" (10.0.0.2).
class ServiceMapTest : public ::testing::Test {
 protected:
  ServiceMapTest() {
    table_.Add({.first_ns = kStartNs,
                .address = "10.0.0.2",
                .port = 80,
                .transport = Transport::kTcp,
                .workload = "nginx:80",
                .workload_kind = "process",
                .host = "b"});
    table_.Add({.first_ns = kStartNs, .address = "10.0.0.1", .host = "a"});
    rows_.reserve(32);
  }

  model::EdgeStats& Row(Side observer, const model::Party& client, const model::Party& server,
                        uint64_t count) {
    model::EdgeStats row;
    row.window_start_ns = kMiddleNs;
    row.window_ns = 10 * kSecondNs;
    row.observer = observer;
    row.client = client;
    row.server = server;
    row.protocol = Protocol::kHttp;
    row.transport = Transport::kTcp;
    row.endpoint = "GET /";
    row.outcome = Outcome::kOk;
    row.status_code = "200";
    row.count = count;
    row.latency.Record(observer == Side::kClient ? 2'000'000 : 1'000'000, count);
    rows_.push_back(row);
    return rows_.back();
  }
  model::EdgeStats& Client(const std::string& name, uint64_t count,
                           const std::string& own_address = "10.0.0.1") {
    return Row(Side::kClient, Workload(name, "a", own_address), Address("10.0.0.2", 80), count);
  }
  model::EdgeStats& Server(uint64_t count, const std::string& client_address = "10.0.0.1") {
    return Row(Side::kServer, Address(client_address), Workload("nginx:80", "b", "10.0.0.2", 80),
               count);
  }

  std::unique_ptr<EdgeGroups> Groups() {
    auto groups = std::make_unique<EdgeGroups>(table_, kStartNs, kEndNs);
    for (const model::EdgeStats& row : rows_) EXPECT_OK(groups->Add(row));
    groups->Finish();
    if (groups->wants_rows_again()) {
      for (const model::EdgeStats& row : rows_) EXPECT_OK(groups->AddAgain(row));
      groups->FinishAgain();
    }
    return groups;
  }
  // The same rows as the store gives them as flows.
  std::unique_ptr<EdgeGroups> FlowGroups() {
    auto groups = std::make_unique<EdgeGroups>(table_, kStartNs, kEndNs);
    std::map<storage::SpanEnds, uint32_t> numbers;
    const auto each = [&](auto add) {
      for (const model::EdgeStats& row : rows_) {
        const storage::SpanEnds ends = storage::EndsOf(row);
        const auto next = static_cast<uint32_t>(numbers.size());
        const storage::FlowRow flow = storage::FlowRowOf(row);
        EXPECT_OK(add({numbers.try_emplace(ends, next).first->second, ends, {&flow, 1}}));
      }
    };
    each([&](const storage::FlowRun& run) { return groups->AddFlow(run); });
    groups->Finish();
    if (groups->wants_rows_again()) {
      numbers.clear();
      each([&](const storage::FlowRun& run) { return groups->AddFlowAgain(run); });
      groups->FinishAgain();
    }
    return groups;
  }
  std::vector<MapEdge> Edges(bool by_endpoint = false) {
    const auto all = [](const EdgeGroup&) { return true; };
    std::vector<MapEdge> edges = BuildEdges(*Groups(), by_endpoint, all);
    if (!by_endpoint) ExpectSameCounts(BuildEdges(*FlowGroups(), false, all), edges);
    return edges;
  }
  // In all that flows tell.
  static void ExpectSameCounts(const std::vector<MapEdge>& flows,
                               const std::vector<MapEdge>& edges) {
    ASSERT_EQ(flows.size(), edges.size());
    const auto views = [](const MapEdge& edge) {
      std::vector<uint64_t> out;
      for (const EdgeView* view : {&edge.client_view, &edge.server_view, &edge.mixed_view}) {
        for (const uint64_t number : {uint64_t{view->present}, view->requests, view->lost,
                                      view->connections, view->connect_failures}) {
          out.push_back(number);
        }
      }
      return out;
    };
    for (size_t i = 0; i < edges.size(); ++i) {
      EXPECT_EQ(flows[i].client, edges[i].client);
      EXPECT_EQ(flows[i].server, edges[i].server);
      EXPECT_EQ(flows[i].client_hosts, edges[i].client_hosts);
      EXPECT_EQ(flows[i].server_hosts, edges[i].server_hosts);
      EXPECT_EQ(flows[i].server_address, edges[i].server_address);
      EXPECT_EQ(flows[i].stands, edges[i].stands);
      EXPECT_EQ(flows[i].unexplained, edges[i].unexplained);
      EXPECT_EQ(flows[i].notes, edges[i].notes);
      EXPECT_EQ(views(flows[i]), views(edges[i]));
    }
  }
  // "client n" of each edge.
  std::vector<std::string> Counts() {
    std::vector<std::string> out;
    for (const MapEdge& edge : Edges()) {
      out.push_back(edge.client + " " + std::to_string(edge.shown().requests));
    }
    return out;
  }

  AddressTable table_;
  std::vector<model::EdgeStats> rows_;
};

TEST_F(ServiceMapTest, TwoViewsAreOneEdgeAndTheServersStands) {
  Client("curl", 10);
  Server(10);
  const auto edges = Edges();
  ASSERT_EQ(edges.size(), 1);
  EXPECT_EQ(edges[0].client, "curl");
  EXPECT_EQ(edges[0].server, "nginx:80");
  EXPECT_EQ(edges[0].protocol, "http");
  EXPECT_EQ(edges[0].shown().requests, 10);
  EXPECT_EQ(edges[0].client_view.requests, 10);
  EXPECT_EQ(edges[0].shown().latency.max_ns(), 1'000'000);
  EXPECT_EQ(edges[0].client_view.latency.max_ns(), 2'000'000);
  EXPECT_EQ(edges[0].server_address, "10.0.0.2:80");
  EXPECT_THAT(edges[0].client_hosts, ElementsAre("a"));
  EXPECT_TRUE(edges[0].notes.empty());
}

TEST_F(ServiceMapTest, AClientOfUnknownAddressIsFoundByItsHost) {
  Client("curl", 10, /*own_address=*/"");
  Server(10);
  const auto edges = Edges();
  ASSERT_EQ(edges.size(), 1);
  EXPECT_TRUE(edges[0].client_view.present);
  EXPECT_TRUE(edges[0].server_view.present);
}

TEST_F(ServiceMapTest, ADifferenceBeyondTheCountedLossIsNoted) {
  Client("curl", 10);
  Server(7).lost = 2;
  auto edges = Edges();
  ASSERT_EQ(edges.size(), 1);
  EXPECT_THAT(edges[0].notes, ElementsAre(HasSubstr("1 more than the counted loss")));
  rows_[1].lost = 3;
  EXPECT_TRUE(Edges()[0].notes.empty());
  // A window at the end of the range may have arrived from one side only.
  rows_[1].lost = 0;
  rows_[0].window_start_ns = kEndNs - 10 * kSecondNs;
  EXPECT_TRUE(Edges()[0].notes.empty());
}

TEST_F(ServiceMapTest, ClientsThatShareAnAddressKeepTheirOwnNumbers) {
  Client("curl", 10);
  Client("wget", 5);
  Server(15);
  auto edges = Edges();
  ASSERT_EQ(edges.size(), 2);
  EXPECT_EQ(edges[0].client, "curl");
  EXPECT_EQ(edges[0].shown().requests, 10);
  EXPECT_FALSE(edges[0].server_view.present);
  EXPECT_EQ(edges[1].shown().requests, 5);
  EXPECT_TRUE(edges[0].notes.empty());
  // Together they are held against what the server saw.
  rows_[2].count = 12;
  edges = Edges();
  EXPECT_THAT(edges[0].notes, ElementsAre(HasSubstr("12 requests from 10.0.0.1")));
  EXPECT_THAT(edges[1].notes, ElementsAre(HasSubstr("curl, wget")));
  EXPECT_EQ(edges[0].unexplained + edges[1].unexplained, 3);
  // What neither of them made is neither's.
  rows_[2].count = 20;
  EXPECT_THAT(Counts(), ElementsAre("10.0.0.1 5", "curl 10", "wget 5"));
}

TEST_F(ServiceMapTest, RequestsThatAWorkloadDidNotMakeAreItsAddresssOwn) {
  Client("curl", 10);
  Server(15);
  const auto edges = Edges();
  ASSERT_EQ(edges.size(), 2);
  EXPECT_EQ(edges[0].client, "10.0.0.1");
  EXPECT_EQ(edges[0].client_kind, "external");
  EXPECT_EQ(edges[0].shown().requests, 5);
  EXPECT_THAT(edges[0].notes, ElementsAre(HasSubstr("No watched workload")));
  EXPECT_EQ(edges[1].client, "curl");
  EXPECT_EQ(edges[1].shown().requests, 10);
  EXPECT_FALSE(edges[1].server_view.present);
  EXPECT_TRUE(edges[1].notes.empty());
  EXPECT_EQ(BuildServices(edges).back().requests, 15);
  // A span that the server saw from there may be anybody's.
  const auto ends = Groups()->NameEnds(Side::kServer, Address("10.0.0.1"),
                                       Workload("nginx:80", "b", "10.0.0.2", 80), Protocol::kHttp,
                                       Transport::kTcp, kMiddleNs);
  EXPECT_EQ(ends.client.name, "10.0.0.1");
}

TEST_F(ServiceMapTest, ARemainderHasTheEndpointsThatNobodyElseAsked) {
  Client("curl", 10);
  Server(10);
  Server(3).endpoint = "GET /admin";
  const auto edges = Edges(true);
  ASSERT_EQ(edges.size(), 2);
  EXPECT_EQ(edges[0].client, "10.0.0.1");
  EXPECT_EQ(edges[0].endpoint, "GET /admin");
  EXPECT_EQ(edges[0].shown().requests, 3);
  EXPECT_EQ(edges[0].shown().latency.count(), 3);
  EXPECT_EQ(edges[1].client, "curl");
  EXPECT_EQ(edges[1].shown().requests, 10);
}

TEST_F(ServiceMapTest, ARemainderIsTheServersCountLessTheCallers) {
  Client("curl", 10);
  model::EdgeStats& seen = Server(14);
  seen.received_bytes = 1400;
  seen.lost = 7;
  rows_[0].received_bytes = 1000;
  rows_[0].lost = 1;
  const auto edges = Edges();
  ASSERT_EQ(edges.size(), 2);
  // One of them may be the one that the client lost.
  EXPECT_EQ(edges[0].shown().requests, 3);
  EXPECT_EQ(edges[0].shown().received_bytes, 400);
  EXPECT_EQ(edges[0].shown().latency.count(), 0);
  EXPECT_EQ(edges[0].shown().lost, 1);
}

TEST_F(ServiceMapTest, WhatTheClientLostExplainsWhatTheServerSawMore) {
  Client("curl", 8).lost = 2;
  Server(10);
  const auto edges = Edges();
  ASSERT_EQ(edges.size(), 1);
  EXPECT_EQ(edges[0].client, "curl");
  EXPECT_EQ(edges[0].shown().requests, 10);
  EXPECT_EQ(edges[0].shown().lost, 0);
  EXPECT_TRUE(edges[0].notes.empty());
}

TEST_F(ServiceMapTest, WindowsThatTheClientsAgentHasNotToldYetAreNotAnothers) {
  Client("curl", 10);
  Server(10);
  Server(4).window_start_ns = kEndNs - 10 * kSecondNs;
  EXPECT_THAT(Counts(), ElementsAre("curl 14"));
  // Told, and it is known who made how many.
  Client("curl", 1).window_start_ns = kEndNs - 10 * kSecondNs;
  EXPECT_THAT(Counts(), ElementsAre("10.0.0.1 3", "curl 11"));
}

TEST_F(ServiceMapTest, ACallerBehindItsHostsAddressIsFound) {
  Client("cart", 10, "172.17.0.5");
  Server(10);
  EXPECT_THAT(Counts(), ElementsAre("cart 10"));
  // Another, whose address the server does see, is not behind it.
  Client("wget", 2, "172.17.0.6");
  Server(2, "172.17.0.6");
  EXPECT_THAT(Counts(), ElementsAre("cart 10", "wget 2"));
}

TEST_F(ServiceMapTest, AnAddressThatTwoHostsHaveIsTheServersOwnHosts) {
  table_.Add({.first_ns = kStartNs, .address = "172.17.0.2", .host = "a"});
  table_.Add({.first_ns = kStartNs, .address = "172.17.0.2", .host = "b"});
  Client("curl", 10, "172.17.0.2");
  Server(10, "172.17.0.2");
  EXPECT_THAT(Counts(), ElementsAre("172.17.0.2 10", "curl 10"));
  rows_[0].client.host = "b";
  EXPECT_THAT(Counts(), ElementsAre("curl 10"));
}

TEST_F(ServiceMapTest, UnparsedConnectionsOfANeighbourAreNotGivenAway) {
  for (model::EdgeStats* row : {&Client("curl", 0), &Server(0)}) {
    row->protocol = Protocol::kUnknown;
    row->endpoint = row->status_code = "";
    row->connections = row->observer == Side::kClient ? 2 : 5;
    row->sent_bytes = 100 * row->connections;
  }
  const auto edges = Edges();
  ASSERT_EQ(edges.size(), 2);
  EXPECT_EQ(edges[0].client, "10.0.0.1");
  EXPECT_EQ(edges[0].shown().connections, 3);
  EXPECT_EQ(edges[0].shown().sent_bytes, 300);
  EXPECT_EQ(edges[1].client, "curl");
  EXPECT_EQ(edges[1].shown().connections, 2);
}

TEST_F(ServiceMapTest, TheViewThatLostLessStands) {
  Client("curl", 10);
  Server(6).lost = 4;
  const auto edges = Edges();
  ASSERT_EQ(edges.size(), 1);
  EXPECT_EQ(edges[0].shown().requests, 10);
  EXPECT_EQ(edges[0].shown().lost, 0);
  EXPECT_TRUE(edges[0].notes.empty());
}

TEST_F(ServiceMapTest, EachWindowsNumbersAreOfTheSideThatSawMoreOfIt) {
  for (int i = 0; i < 6; ++i) {
    const int64_t window_ns = kMiddleNs + i * 60 * kSecondNs;
    // The server's agent started in the middle of the third window; the client's ended after the
    // fifth.
    if (i < 5) Client("curl", 100).window_start_ns = window_ns;
    if (i >= 2) Server(i == 2 ? 40 : 100).window_start_ns = window_ns;
  }
  // In the last window the server saw requests that the client's agent could not tell of.
  rows_.back().client = Workload("curl", "a", "10.0.0.1");
  const auto edges = Edges();
  ASSERT_EQ(edges.size(), 1);
  EXPECT_EQ(edges[0].client_view.requests, 500);
  EXPECT_EQ(edges[0].server_view.requests, 340);
  EXPECT_EQ(edges[0].shown().requests, 600);
  EXPECT_EQ(edges[0].shown().latency.count(), 600);
  EXPECT_EQ(edges[0].unexplained, 160);
  EXPECT_THAT(edges[0].notes, ElementsAre(HasSubstr("Neither side"), HasSubstr("160 more")));
  const auto by_endpoint = Edges(true);
  ASSERT_EQ(by_endpoint.size(), 1);
  EXPECT_EQ(by_endpoint[0].shown().requests, 600);
}

TEST_F(ServiceMapTest, AFilterDoesNotMakeViewsDiffer) {
  Client("curl", 10);
  Server(10);
  rows_[1].status_code = "304";
  const auto edges = BuildEdges(
      *Groups(), false, [](const EdgeGroup& group) { return group.sum.status_code == "200"; });
  ASSERT_EQ(edges.size(), 1);
  EXPECT_TRUE(edges[0].notes.empty());
  // With endpoints a request that each side calls otherwise counts once.
  const auto by_endpoint = Edges(true);
  ASSERT_EQ(by_endpoint.size(), 1);
  EXPECT_EQ(by_endpoint[0].status_code, "304");
}

TEST_F(ServiceMapTest, AnUnwatchedClientIsExternal) {
  Client("curl", 10);
  Server(10);
  Server(3, "192.0.2.7");
  const auto edges = Edges();
  ASSERT_EQ(edges.size(), 2);
  EXPECT_EQ(edges[0].client, "192.0.2.7");
  EXPECT_EQ(edges[0].client_kind, "external");
  EXPECT_EQ(edges[0].shown().requests, 3);
  EXPECT_EQ(edges[1].shown().requests, 10);
}

TEST_F(ServiceMapTest, AClientWithAnAddressOfItsOwnIsNamedByIt) {
  table_.Add({.first_ns = kStartNs,
              .address = "172.17.0.5",
              .workload = "cart",
              .workload_kind = "container",
              .host = "c"});
  Server(4, "172.17.0.5");
  const auto edges = Edges();
  ASSERT_EQ(edges.size(), 1);
  EXPECT_EQ(edges[0].client, "cart");
  EXPECT_EQ(edges[0].client_kind, "container");
}

TEST_F(ServiceMapTest, OutsideServersHaveTheirDnsNameOrAddress) {
  const model::Party curl = Workload("curl", "a", "10.0.0.1");
  Row(Side::kClient, curl, Address("192.0.2.1", 443, "api.example.com"), 1);
  Row(Side::kClient, curl, Address("192.0.2.2", 443), 1);
  Row(Side::kClient, curl, Address("2001:db8::1", 443), 1);
  const auto edges = Edges();
  ASSERT_EQ(edges.size(), 3);
  EXPECT_EQ(edges[0].server, "192.0.2.2:443");
  EXPECT_EQ(edges[1].server, "[2001:db8::1]:443");
  EXPECT_EQ(edges[2].server, "api.example.com");
  EXPECT_EQ(edges[2].server_kind, "external");
}

TEST_F(ServiceMapTest, AnUnknownProtocolIsShownByItsTransport) {
  Client("curl", 0).protocol = Protocol::kUnknown;
  const auto edges = Edges();
  ASSERT_EQ(edges.size(), 1);
  EXPECT_EQ(edges[0].protocol, "tcp");
}

TEST_F(ServiceMapTest, EndpointsAndStatesAreRowsOfTheirOwnWhenAskedFor) {
  Client("curl", 10);
  model::EdgeStats& failed = Client("curl", 2);
  failed.outcome = Outcome::kServerError;
  failed.status_code = "500";
  model::EdgeStats& connections = Client("curl", 0);
  connections.endpoint = connections.status_code = "";
  connections.outcome = Outcome::kUnset;
  connections.connections = 4;
  const auto edges = Edges(true);
  ASSERT_EQ(edges.size(), 2);
  EXPECT_EQ(edges[0].status_code, "200");
  EXPECT_EQ(edges[0].shown().errors, 0);
  EXPECT_EQ(edges[1].status_code, "500");
  EXPECT_EQ(edges[1].shown().errors, 2);
  const auto whole = Edges();
  ASSERT_EQ(whole.size(), 1);
  EXPECT_EQ(whole[0].shown().requests, 12);
  EXPECT_EQ(whole[0].shown().errors, 2);
  EXPECT_EQ(whole[0].shown().connections, 4);
}

TEST_F(ServiceMapTest, ServicesCountWhatTheyServeOnce) {
  Client("curl", 10);
  Server(10);
  Server(3, "192.0.2.7");
  const auto services = BuildServices(Edges());
  ASSERT_EQ(services.size(), 3);
  EXPECT_EQ(services[0].name, "192.0.2.7");
  EXPECT_EQ(services[0].kind, "external");
  EXPECT_EQ(services[1].name, "curl");
  EXPECT_EQ(services[1].requests, 0);
  EXPECT_EQ(services[2].name, "nginx:80");
  EXPECT_EQ(services[2].requests, 13);
  EXPECT_THAT(services[2].hosts, ElementsAre("b"));
  EXPECT_THAT(services[2].protocols, ElementsAre("http"));
}

TEST_F(ServiceMapTest, TooManyGroupsAreRefused) {
  EdgeGroups groups(table_, kStartNs, kEndNs);
  model::EdgeStats row = Client("curl", 1);
  absl::Status status;
  for (size_t i = 0; status.ok() && i <= EdgeGroups::kMaxGroups; ++i) {
    row.endpoint = "GET /" + std::to_string(i);
    status = groups.Add(row);
  }
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
}

}  // namespace
}  // namespace kindling::controller
