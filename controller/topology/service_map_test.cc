#include "controller/topology/service_map.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

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
    rows_.reserve(16);
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

  std::vector<MapEdge> Edges(bool by_endpoint = false) {
    EdgeGroups groups(table_, kStartNs, kEndNs);
    for (const model::EdgeStats& row : rows_) EXPECT_OK(groups.Add(row));
    groups.Finish();
    return BuildEdges(groups, by_endpoint, [](const EdgeGroup&) { return true; });
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
  rows_[2].count = 20;
  edges = Edges();
  EXPECT_THAT(edges[0].notes, ElementsAre(HasSubstr("20 requests from 10.0.0.1")));
  EXPECT_THAT(edges[1].notes, ElementsAre(HasSubstr("curl, wget")));
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
