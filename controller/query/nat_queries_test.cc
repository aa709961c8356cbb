#include "controller/query/nat_queries.h"

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
#include "model/nat_metrics.h"

namespace kindling::controller {
namespace {

namespace nat = model::nat;
using ::testing::ElementsAre;

constexpr int64_t kSecondNs = 1'000'000'000;
constexpr int64_t kStartNs = 1'700'000'000 * kSecondNs;

class NatQueriesTest : public ::testing::Test {
 protected:
  NatQueriesTest() {
    store_.oldest_ns = kStartNs;
    model::Batch batch;
    batch.addresses = {{.first_ns = kStartNs,
                        .address = "10.2.0.7",
                        .port = 8080,
                        .transport = model::Transport::kTcp,
                        .workload = "shop:8080",
                        .workload_kind = "process",
                        .host = "b"}};
    Append(std::move(batch));
  }

  void Append(model::Batch batch) {
    std::vector<model::Batch> batches = {std::move(batch)};
    ASSERT_OK(store_.Append(std::move(batches)));
  }
  void Add(model::Side observer, const std::string& client, const std::string& client_address,
           const std::string& asked, const std::string& seen_as, double connections) {
    model::EdgeEnds ends{.observer = observer,
                         .client = {.address = client_address},
                         .server = {.address = "10.2.0.7", .port = 8080}};
    if (!client.empty()) {
      ends.client.workload = client;
      ends.client.workload_kind = "process";
      ends.client.host = "a";
    }
    model::Batch batch;
    model::Labels labels = model::LabelsOf(ends);
    model::AddLabel(nat::kKind, seen_as.empty() ? "dnat" : "dnat+snat", labels);
    model::AddLabel(model::kTransportLabel, "tcp", labels);
    model::AddLabel(nat::kAsked, asked, labels);
    if (!seen_as.empty()) model::AddLabel(nat::kSeenAs, seen_as, labels);
    batch.series = {{.name = nat::kConnections,
                     .kind = model::MetricKind::kDelta,
                     .labels = std::move(labels)}};
    batch.points = {{.time_ns = kStartNs + 60 * kSecondNs, .value = connections}};
    Append(std::move(batch));
  }
  std::vector<std::string> List(const std::string& filter = "") {
    v1::ListNatRequest request;
    request.set_filter(filter);
    v1::ListNatResponse response;
    EXPECT_OK(ListNat(context_, request, &response));
    captured_ = response.completeness().captured();
    std::vector<std::string> lines;
    for (const v1::NatEdge& edge : response.edges()) {
      lines.push_back(edge.client() + ">" + edge.server() + " " + edge.observer() + " " +
                      edge.kind() + " " + edge.asked_address() + " " + edge.server_address() + " " +
                      edge.seen_as_address() + " " +
                      std::to_string(static_cast<int>(edge.connections())));
    }
    return lines;
  }

  MemoryStore store_;
  AgentRegistry registry_;
  base::FakeClock clock_{kSecondNs, kStartNs + 600 * kSecondNs};
  FlowCache flows_;
  const QuerySources sources_{store_, registry_, clock_, flows_};
  QueryContext context_{sources_, {.tenant = "t", .cluster = "c"}, [] { return false; }};
  double captured_ = 0;
};

TEST_F(NatQueriesTest, TrueEndsWithBothAddresses) {
  Add(model::Side::kClient, "curl", "10.1.0.5", "10.96.0.1:80", "", 3);
  Add(model::Side::kClient, "curl", "10.1.0.6", "10.96.0.1:80", "", 4);
  Add(model::Side::kClient, "curl", "10.1.0.5", "10.96.0.2:80", "", 1);
  Add(model::Side::kUnknown, "", "10.1.0.9", "10.96.0.1:80", "192.0.2.1", 2);
  EXPECT_THAT(List(), ElementsAre("10.1.0.9>shop:8080 unknown dnat+snat 10.96.0.1:80 10.2.0.7:8080 "
                                  "192.0.2.1 2",
                                  "curl>shop:8080 client dnat 10.96.0.1:80 10.2.0.7:8080  7",
                                  "curl>shop:8080 client dnat 10.96.0.2:80 10.2.0.7:8080  1"));
  EXPECT_EQ(captured_, 10);
  EXPECT_THAT(List("client=curl address=10.1.0.6"),
              ElementsAre("curl>shop:8080 client dnat 10.96.0.1:80 10.2.0.7:8080  4"));
  EXPECT_EQ(captured_, 4);
  EXPECT_THAT(List("server=db:3306"), ElementsAre());
}

}  // namespace
}  // namespace kindling::controller
