#include "controller/path/path_ends.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <utility>

#include "absl/strings/str_format.h"
#include "base/testing/fake_clock.h"
#include "base/testing/status_matchers.h"
#include "controller/query/flow_cache.h"
#include "controller/testing/memory_store.h"
#include "model/records.h"

namespace kindling::controller {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class PathEndsTest : public ::testing::Test {
 protected:
  void Bind(const std::string& address, const std::string& workload, const std::string& host) {
    model::Batch batch;
    batch.addresses = {{.address = address, .port = 80, .workload = workload, .host = host}};
    Append(std::move(batch));
  }
  void AddEdge(model::Party client, model::Party server) {
    model::Batch batch;
    batch.edges.emplace_back();
    batch.edges[0].client = std::move(client);
    batch.edges[0].server = std::move(server);
    Append(std::move(batch));
  }
  void Append(model::Batch batch) {
    std::vector<model::Batch> batches = {std::move(batch)};
    ASSERT_OK(store_.Append(std::move(batches)));
  }
  absl::StatusOr<std::vector<std::string>> Find(const std::string& end) {
    const QuerySources sources{store_, registry_, clock_, flows_};
    return FindPathEnd({.sources = sources, .cancelled = [] { return false; }}, end);
  }

  MemoryStore store_;
  AgentRegistry registry_;
  base::FakeClock clock_;
  FlowCache flows_;
};

TEST_F(PathEndsTest, AnAddressIsItself) {
  EXPECT_THAT(*Find("10.0.0.1"), ElementsAre("10.0.0.1"));
  EXPECT_THAT(*Find("::ffff:10.0.0.1"), ElementsAre("10.0.0.1"));
  EXPECT_THAT(*Find("fe80::1"), ElementsAre("fe80::1"));
}

TEST_F(PathEndsTest, WorkloadServiceHostAndDnsName) {
  Bind("10.0.0.2", "shop:80", "node-b");
  Bind("::ffff:10.0.0.3", "shop:81", "node-c");
  AddEdge({.workload = "curl", .host = "node-a", .address = "10.0.0.1"},
          {.address = "10.96.0.1", .port = 80, .dns_name = "shop.local"});
  EXPECT_THAT(*Find("shop:80"), ElementsAre("10.0.0.2"));
  EXPECT_THAT(*Find("shop"), ElementsAre("10.0.0.2", "10.0.0.3"));
  EXPECT_THAT(*Find("node-c"), ElementsAre("10.0.0.3"));
  EXPECT_THAT(*Find("curl"), ElementsAre("10.0.0.1"));
  EXPECT_THAT(*Find("shop.local"), ElementsAre("10.96.0.1"));
}

TEST_F(PathEndsTest, LoopbackOnlyWhereNothingElseIsKnown) {
  Bind("127.0.0.1", "db:3306", "node-b");
  EXPECT_THAT(*Find("db"), ElementsAre("127.0.0.1"));
  Bind("10.0.0.9", "db:3306", "node-b");
  EXPECT_THAT(*Find("db"), ElementsAre("10.0.0.9"));
}

TEST_F(PathEndsTest, NothingIsCalledSo) {
  Bind("/run/shop.sock", "shop:80", "node-b");
  for (const char* end : {"shop", "shop:8", "", ":80", "10.0.0.300"}) {
    const auto found = Find(end);
    ASSERT_FALSE(found.ok()) << end;
    EXPECT_TRUE(absl::IsNotFound(found.status()));
    EXPECT_THAT(std::string(found.status().message()), HasSubstr("get services"));
  }
}

TEST_F(PathEndsTest, TooManyAddresses) {
  for (size_t i = 0; i <= kMaxEndAddresses; ++i) {
    Bind(absl::StrFormat("10.0.%d.%d", i / 250, i % 250 + 1), "many:80", "node-b");
  }
  EXPECT_TRUE(absl::IsInvalidArgument(Find("many").status()));
}

}  // namespace
}  // namespace kindling::controller
