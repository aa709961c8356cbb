#include "controller/packets/packet_places.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "base/packet_filter.h"
#include "base/testing/fake_clock.h"
#include "base/testing/status_matchers.h"
#include "controller/query/flow_cache.h"
#include "controller/testing/memory_store.h"

namespace kindling::controller {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

constexpr int64_t kSecondNs = 1'000'000'000;
constexpr int64_t kStartNs = 1'700'000'000 * kSecondNs;

model::Party Named(const char* workload, const char* host, const char* address, uint16_t port = 0) {
  return {.workload = workload,
          .workload_kind = "process",
          .host = host,
          .address = address,
          .port = port};
}

class PacketPlacesTest : public ::testing::Test {
 protected:
  PacketPlacesTest() { store_.oldest_ns = kStartNs; }

  void Append(model::Batch batch) {
    std::vector<model::Batch> batches = {std::move(batch)};
    ASSERT_OK(store_.Append(std::move(batches)));
  }
  void Bind(const char* workload, const char* host, const char* address, uint16_t port) {
    model::Batch batch;
    batch.addresses = {{.first_ns = kStartNs,
                        .address = address,
                        .port = port,
                        .transport = model::Transport::kTcp,
                        .workload = workload,
                        .workload_kind = "process",
                        .host = host}};
    Append(std::move(batch));
  }
  void See(model::Side observer, const model::Party& client, const model::Party& server,
           model::Transport transport = model::Transport::kTcp) {
    model::Batch batch;
    model::EdgeStats& row = batch.edges.emplace_back();
    row.window_start_ns = kStartNs + 60 * kSecondNs;
    row.window_ns = 10 * kSecondNs;
    row.observer = observer;
    row.client = client;
    row.server = server;
    row.protocol = model::Protocol::kHttp;
    row.transport = transport;
    row.endpoint = "GET /";
    row.outcome = model::Outcome::kOk;
    row.count = 5;
    Append(std::move(batch));
  }
  // curl on a calls the shop on b; each knows the other by its address.
  void SeeShop() {
    Bind("shop:80", "b", "10.0.0.2", 80);
    See(model::Side::kClient, Named("curl", "a", "10.0.0.1"), {.address = "10.0.0.2", .port = 80});
    See(model::Side::kServer, {.address = "10.0.0.1"}, Named("shop:80", "b", "10.0.0.2", 80));
  }
  absl::StatusOr<std::map<std::string, std::string>> Filters(const PacketEnds& ends,
                                                             const std::string& filter = "") {
    auto filters = PacketFiltersFor(context_, ends, {kStartNs, kStartNs + 600 * kSecondNs}, filter);
    if (filters.ok()) {
      for (const auto& [host, text] : *filters) EXPECT_OK(base::CompilePacketFilter(text, 96));
    }
    return filters;
  }

  MemoryStore store_;
  AgentRegistry registry_;
  base::FakeClock clock_{kSecondNs, kStartNs + 600 * kSecondNs};
  FlowCache flows_;
  const QuerySources sources_{store_, registry_, clock_, flows_};
  QueryContext context_{sources_, {.tenant = "t", .cluster = "c"}, [] { return false; }};
};

TEST_F(PacketPlacesTest, AnEdgeIsCapturedOnBothOfItsHosts) {
  SeeShop();
  const auto filters = Filters({.client = "curl", .server = "shop:80"});
  ASSERT_OK(filters);
  constexpr char kText[] = "(host 10.0.0.2 and host 10.0.0.1 and tcp port 80)";
  EXPECT_THAT(*filters, ElementsAre(Pair("a", kText), Pair("b", kText)));
}

TEST_F(PacketPlacesTest, AServiceByWhatItServesFromAnywhere) {
  SeeShop();
  const auto filters = Filters({.service = "shop:80"}, "tcp[tcpflags] & tcp-syn != 0 or icmp");
  ASSERT_OK(filters);
  EXPECT_EQ(filters->at("b"),
            "((host 10.0.0.2 and tcp port 80)) and (tcp[tcpflags] & tcp-syn != 0 or icmp)");
}

TEST_F(PacketPlacesTest, AServiceByWhatItAsksOthers) {
  SeeShop();
  See(model::Side::kClient, Named("shop:80", "b", "10.0.0.2"), Named("dns", "b", "10.0.0.53", 53),
      model::Transport::kUdp);
  const auto filters = Filters({.service = "shop:80"});
  ASSERT_OK(filters);
  EXPECT_EQ(
      filters->at("b"),
      "(host 10.0.0.2 and tcp port 80) or (host 10.0.0.53 and host 10.0.0.2 and udp port 53)");
}

// What a client knows by a service's address, the server by its own.
TEST_F(PacketPlacesTest, BothSidesOfAnAddressTranslation) {
  See(model::Side::kClient, Named("curl", "a", "10.0.0.1"),
      Named("shop:80", "b", "10.96.0.1", 8080));
  See(model::Side::kServer, Named("curl", "a", "10.0.0.1"), Named("shop:80", "b", "10.0.0.2", 80));
  const auto filters = Filters({.client = "curl", .server = "shop:80"});
  ASSERT_OK(filters);
  EXPECT_EQ(filters->at("a"),
            "(host 10.0.0.2 and host 10.0.0.1 and tcp port 80) or (host 10.96.0.1 and host "
            "10.0.0.1 and tcp port 8080)");
}

TEST_F(PacketPlacesTest, LoopbackIsOneHostsAlone) {
  See(model::Side::kClient, Named("app", "a", "127.0.0.1"), Named("redis", "a", "127.0.0.1", 6379));
  See(model::Side::kClient, Named("app", "b", "::ffff:10.0.0.2"),
      Named("redis", "c", "fd00::3", 6379));
  const auto filters = Filters({.service = "redis"});
  ASSERT_OK(filters);
  EXPECT_THAT(
      *filters,
      ElementsAre(
          Pair("a", "(host 127.0.0.1 and tcp port 6379) or (host fd00::3 and tcp port 6379)"),
          Pair("b", "(host fd00::3 and tcp port 6379)"),
          Pair("c", "(host fd00::3 and tcp port 6379)")));
}

TEST_F(PacketPlacesTest, NothingSeen) {
  SeeShop();
  const absl::Status status = Filters({.service = "shp:80"}).status();
  EXPECT_TRUE(absl::IsNotFound(status));
  EXPECT_THAT(
      std::string(status.message()),
      HasSubstr("nothing was seen of service shp:80 in that time; did you mean \"shop:80\"?"));
  EXPECT_THAT(std::string(Filters({.client = "shop:80", .server = "curl"}).status().message()),
              HasSubstr("the edge from shop:80 to curl"));
}

TEST_F(PacketPlacesTest, SocketsOfTheHostHaveNoPackets) {
  See(model::Side::kClient, Named("app", "a", ""), Named("mysqld", "a", "/run/mysqld.sock"),
      model::Transport::kUnix);
  EXPECT_THAT(std::string(Filters({.service = "mysqld"}).status().message()),
              HasSubstr("has no packets"));
}

// What an agent says is no part of a filter unless it is an address.
TEST_F(PacketPlacesTest, HostileAddresses) {
  See(model::Side::kClient, Named("app", "a", "10.0.0.1"),
      Named("evil", "b", "10.0.0.2) or (tcp", 80));
  See(model::Side::kClient, Named("app", "a", "10.0.0.9 or udp"),
      Named("evil", "b", "10.0.0.3", 80));
  const auto filters = Filters({.client = "app", .server = "evil"});
  ASSERT_OK(filters);
  EXPECT_EQ(filters->at("a"), "(host 10.0.0.3 and tcp port 80)");
}

TEST_F(PacketPlacesTest, ManyClientsLeaveTheServerAlone) {
  for (int i = 0; i < 300; ++i) {
    const std::string address = "10.1." + std::to_string(i / 200) + "." + std::to_string(i % 200);
    See(model::Side::kClient, Named("app", "a", address.c_str()),
        Named("db", "b", "10.0.0.2", 3306));
  }
  const auto filters = Filters({.client = "app", .server = "db"});
  ASSERT_OK(filters);
  EXPECT_EQ(filters->at("a"), "(host 10.0.0.2 and tcp port 3306)");
}

TEST_F(PacketPlacesTest, MoreServersThanAFilterHolds) {
  for (int i = 0; i < 300; ++i) {
    const std::string address = "10.1." + std::to_string(i / 200) + "." + std::to_string(i % 200);
    See(model::Side::kClient, Named("app", "a", "10.0.0.1"),
        Named("db", "b", address.c_str(), 3306));
  }
  EXPECT_TRUE(absl::IsResourceExhausted(Filters({.service = "app"}).status()));
}

}  // namespace
}  // namespace kindling::controller
