#include "controller/connections/list_connections.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <utility>

#include "base/testing/fake_clock.h"
#include "base/testing/status_matchers.h"
#include "controller/fleet/agent_registry.h"
#include "controller/query/flow_cache.h"
#include "controller/testing/memory_store.h"
#include "kindling/v1/connections.pb.h"
#include "kindling/v1/tasks.pb.h"

namespace kindling::controller {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr int64_t kSecondNs = 1'000'000'000;
constexpr int64_t kNowNs = 1'700'000'000 * kSecondNs;

v1::FoundConnection Found(const std::string& server, const std::string& remote) {
  v1::FoundConnection found;
  found.mutable_connection()->set_side("client");
  found.mutable_connection()->set_transport("tcp");
  found.mutable_connection()->set_remote_address(remote);
  (*found.mutable_ends())["observer"] = "client";
  (*found.mutable_ends())["client"] = "curl";
  (*found.mutable_ends())["server"] = server;
  return found;
}

class ListConnectionsTest : public ::testing::Test {
 protected:
  // An agent that is connected; `answer` is called on the thread that asks.
  using Answer = std::function<void(TaskQueue&, size_t agent)>;
  void AddAgent(const std::string& id, const Answer& answer) {
    EXPECT_OK(registry_.Connect({.id = id, .host = "host-" + id}, kNowNs, [] {}));
    if (!answer) return;
    EXPECT_OK(hub_.Attend({.agent_id = id, .tasks = {"kindling.v1.ListConnectionsTask"}},
                          {.start = [this, id, answer](v1::StartTask start) {
                            const auto place = hub_.Find(start.task_id(), id);
                            ASSERT_OK(place);
                            ASSERT_TRUE(place->queue->Open(place->agent, [] {}));
                            answer(*place->queue, place->agent);
                          }}));
  }
  static Answer Tells(v1::ConnectionsFound found) {
    return [found = std::move(found)](TaskQueue& queue, size_t agent) {
      google::protobuf::Any output;
      output.PackFrom(found);
      queue.Push(agent, output);
      queue.End(agent, absl::OkStatus());
    };
  }
  v1::ListConnectionsResponse List(const std::string& filter = "") {
    v1::ListConnectionsRequest request;
    request.set_filter(filter);
    v1::ListConnectionsResponse response;
    EXPECT_OK(
        ListConnections(context_, hub_, absl::Now() + absl::Milliseconds(200), request, &response));
    return response;
  }

  MemoryStore store_;
  AgentRegistry registry_;
  TaskHub hub_;
  base::FakeClock clock_{kSecondNs, kNowNs};
  FlowCache flows_;
  const QuerySources sources_{store_, registry_, clock_, flows_};
  const QueryContext context_{sources_, {.tenant = "t", .cluster = "c"}, [] { return false; }};
};

TEST_F(ListConnectionsTest, TellsWhatAllAgentsHave) {
  v1::ConnectionsFound of_a;
  *of_a.add_connections() = Found("shop:80", "10.0.0.2:80");
  *of_a.add_connections() = Found("db:3306", "10.0.0.3:3306");
  v1::ConnectionsFound of_b;
  *of_b.add_connections() = Found("db:3306", "10.0.0.3:3306");
  AddAgent("b", Tells(of_b));
  AddAgent("a", Tells(of_a));
  const v1::ListConnectionsResponse response = List();
  ASSERT_EQ(response.connections_size(), 3);
  EXPECT_EQ(response.connections(0).host(), "host-a");
  EXPECT_EQ(response.connections(0).server(), "db:3306");
  EXPECT_EQ(response.connections(0).client(), "curl");
  EXPECT_EQ(response.connections(1).server(), "shop:80");
  EXPECT_EQ(response.connections(2).host(), "host-b");
  EXPECT_EQ(response.completeness().fraction(), 1);
  EXPECT_EQ(response.completeness().captured(), 3);

  EXPECT_EQ(List("server=shop:80").connections_size(), 1);
  v1::ListConnectionsRequest wrong;
  wrong.set_filter("latency>1s");
  v1::ListConnectionsResponse none;
  EXPECT_TRUE(absl::IsInvalidArgument(
      ListConnections(context_, hub_, absl::Now() + absl::Seconds(1), wrong, &none)));
}

TEST_F(ListConnectionsTest, TheTwoEndsNameEachOther) {
  const auto end = [](const char* side, const char* local, const char* remote, const char* name) {
    v1::FoundConnection found;
    found.mutable_connection()->set_transport("tcp");
    found.mutable_connection()->set_local_address(local);
    found.mutable_connection()->set_remote_address(remote);
    (*found.mutable_ends())["observer"] = side;
    (*found.mutable_ends())[side] = name;
    return found;
  };
  v1::ConnectionsFound of_a;
  *of_a.add_connections() = end("client", "10.0.0.1:4000", "10.0.0.2:80", "curl");
  *of_a.add_connections() = end("client", "127.0.0.1:4000", "127.0.0.1:80", "wget");
  v1::ConnectionsFound of_b;
  *of_b.add_connections() = end("server", "10.0.0.2:80", "10.0.0.1:4000", "shop:80");
  *of_b.add_connections() = end("server", "127.0.0.1:80", "127.0.0.1:4000", "other:80");
  AddAgent("a", Tells(of_a));
  AddAgent("b", Tells(of_b));
  const v1::ListConnectionsResponse response = List("client=curl server=shop:80");
  EXPECT_EQ(response.connections_size(), 2);
  EXPECT_EQ(List("client=wget server=other:80").connections_size(), 0);  // of two hosts
}

TEST_F(ListConnectionsTest, SaysWhoDidNotAnswer) {
  v1::ConnectionsFound of_a;
  *of_a.add_connections() = Found("shop:80", "10.0.0.2:80");
  AddAgent("a", Tells(of_a));
  AddAgent("late", [](TaskQueue&, size_t) {});
  AddAgent("sick", [](TaskQueue& queue, size_t agent) {
    queue.End(agent, absl::InternalError("no memory"));
  });
  AddAgent("old", nullptr);
  const v1::ListConnectionsResponse response = List();
  EXPECT_EQ(response.connections_size(), 1);
  EXPECT_LT(response.completeness().fraction(), 1);
  EXPECT_THAT(
      response.completeness().notes(),
      testing::UnorderedElementsAre(
          HasSubstr("late on host host-late did not tell its connections in time"),
          HasSubstr("sick on host host-sick did not tell its connections: no memory"),
          HasSubstr("old on host host-old did not tell its connections: the agent is not")));
}

TEST_F(ListConnectionsTest, WhatAnAgentLeftOutIsCounted) {
  v1::ConnectionsFound found;
  *found.add_connections() = Found("shop:80", "10.0.0.2:80");
  found.set_left_out(3);
  AddAgent("a", Tells(found));
  const v1::ListConnectionsResponse response = List();
  EXPECT_EQ(response.completeness().lost_other(), 3);
  EXPECT_EQ(response.completeness().fraction(), 0.25);
}

TEST_F(ListConnectionsTest, WhatIsNoAnswerIsPassedOver) {
  v1::ConnectionsFound found;
  v1::FoundConnection huge = Found("shop:80", std::string(1 << 20, 'x'));
  *found.add_connections() = huge;
  found.set_left_out(-1e300);
  AddAgent("a", Tells(found));
  AddAgent("b", [](TaskQueue& queue, size_t agent) {
    google::protobuf::Any garbage;
    garbage.set_type_url("type.googleapis.com/kindling.v1.ConnectionsFound");
    garbage.set_value("\xff\xff\xff");
    queue.Push(agent, garbage);
    queue.End(agent, absl::OkStatus());
  });
  EXPECT_EQ(List().connections_size(), 0);
}

}  // namespace
}  // namespace kindling::controller
