#include "controller/controller.h"

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <fstream>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "base/rpc_status.h"
#include "base/testing/fake_clock.h"
#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"
#include "controller/testing/fake_agent.h"
#include "kindling/v1/query.grpc.pb.h"
#include "model/records.h"

namespace kindling::controller {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr uint64_t kEpoch = 77;
constexpr int64_t kSecondNs = 1'000'000'000;

class ControllerTest : public ::testing::Test {
 protected:
  void SetUp() override { Start(); }

  ControllerOptions Options() const {
    ControllerOptions options;
    options.listen = "127.0.0.1:0";
    options.data_directory = dir_.File("data");
    return options;
  }

  void Start() {
    auto started = Controller::Start(Options(), base::SystemClock());
    ASSERT_OK(started);
    controller_ = *std::move(started);
    query_ = v1::QueryService::NewStub(
        grpc::CreateChannel(controller_->address(), grpc::InsecureChannelCredentials()));
  }

  v1::ListEdgesResponse Edges(const std::string& filter = "", bool by_endpoint = false) {
    v1::ListEdgesRequest request;
    request.set_filter(filter);
    request.set_by_endpoint(by_endpoint);
    v1::ListEdgesResponse response;
    grpc::ClientContext context;
    EXPECT_OK(base::FromRpcStatus(query_->ListEdges(&context, request, &response)));
    return response;
  }

  v1::ListSpansResponse Spans(const v1::ListSpansRequest& request) {
    v1::ListSpansResponse response;
    grpc::ClientContext context;
    EXPECT_OK(base::FromRpcStatus(query_->ListSpans(&context, request, &response)));
    return response;
  }

  // Sends one batch and waits until it is durable.
  void Deliver(const std::string& agent_id, const v1::Batch& batch) {
    FakeAgent agent(controller_->address());
    ASSERT_OK(agent.Connect(FakeAgent::HelloOf(agent_id, batch.boot_epoch())));
    ASSERT_TRUE(agent.Send(batch));
    ASSERT_OK(agent.AwaitAck(batch.boot_epoch(), batch.sequence()));
    ASSERT_OK(agent.Close());
  }

  base::TempDir dir_;
  std::unique_ptr<Controller> controller_;
  std::unique_ptr<v1::QueryService::Stub> query_;
  const int64_t start_ns_ = absl::ToUnixNanos(absl::Now()) - 600 * kSecondNs;
};

TEST_F(ControllerTest, TwoObserversOfOneEdgeAreShownAsOneAndNotAdded) {
  BatchBuilder client(kEpoch, 1, start_ns_);
  client.Edge(1, client.Party("curl", "a", "10.0.0.1", 0), client.Party("", "", "10.0.0.2", 80), 7);
  Deliver("a", client.batch());
  BatchBuilder server(kEpoch, 1, start_ns_);
  server.Edge(2, server.Party("", "", "10.0.0.1", 0), server.Party("nginx:80", "b", "10.0.0.2", 80),
              7);
  server.Binding("10.0.0.2", 80, "nginx:80", "b");
  Deliver("b", server.batch());

  const v1::ListEdgesResponse answer = Edges();
  ASSERT_EQ(answer.edges_size(), 1) << answer.DebugString();
  const v1::Edge& edge = answer.edges(0);
  EXPECT_EQ(edge.client(), "curl");
  EXPECT_EQ(edge.server(), "nginx:80");
  EXPECT_EQ(edge.protocol(), "http");
  EXPECT_EQ(edge.observer(), "both");
  EXPECT_EQ(edge.request_count(), 7);
  EXPECT_EQ(edge.client_view().request_count(), 7);
  EXPECT_EQ(edge.server_view().request_count(), 7);
  EXPECT_NEAR(edge.p99_ms(), 1, 0.05);
  EXPECT_EQ(edge.notes_size(), 0);
  EXPECT_EQ(answer.completeness().captured(), 7);
  EXPECT_EQ(answer.completeness().fraction(), 1);
}

TEST_F(ControllerTest, ANeighbourThatIsNotWatchedAndAViewThatBeganLateAreTold) {
  BatchBuilder client(kEpoch, 1, start_ns_);
  const uint32_t curl = client.Party("curl", "a", "10.0.0.1", 0);
  client.Edge(1, curl, client.Party("", "", "10.0.0.2", 80), 7);
  client.Edge(1, curl, client.Party("", "", "10.0.0.2", 81), 7);
  Deliver("a", client.batch());
  BatchBuilder server(kEpoch, 1, start_ns_);
  const uint32_t from = server.Party("", "", "10.0.0.1", 0);
  server.Edge(2, from, server.Party("nginx:80", "b", "10.0.0.2", 80), 9);
  server.Edge(2, from, server.Party("apache:81", "b", "10.0.0.2", 81), 3);
  server.Binding("10.0.0.2", 80, "nginx:80", "b");
  server.Binding("10.0.0.2", 81, "apache:81", "b");
  // All seen in one window; the range reaches far beyond it.
  server.mutable_batch()->set_last_time_ns(start_ns_);
  Deliver("b", server.batch());
  v1::ListEdgesRequest request;
  request.mutable_time()->set_start_ns(start_ns_ - 600 * kSecondNs);
  v1::ListEdgesResponse answer;
  grpc::ClientContext context;
  ASSERT_OK(base::FromRpcStatus(query_->ListEdges(&context, request, &answer)));
  ASSERT_EQ(answer.edges_size(), 3) << answer.DebugString();
  EXPECT_EQ(answer.edges(0).client(), "10.0.0.1");
  EXPECT_EQ(answer.edges(0).server(), "nginx:80");
  EXPECT_EQ(answer.edges(0).request_count(), 2);
  EXPECT_EQ(answer.edges(0).observer(), "server");
  EXPECT_EQ(answer.edges(1).server(), "apache:81");
  EXPECT_EQ(answer.edges(1).request_count(), 7);
  EXPECT_EQ(answer.edges(1).observer(), "both");
  EXPECT_EQ(answer.edges(1).notes_size(), 1);
  EXPECT_EQ(answer.edges(2).server(), "nginx:80");
  EXPECT_EQ(answer.edges(2).request_count(), 7);
  EXPECT_EQ(answer.edges(2).observer(), "client");
}

TEST_F(ControllerTest, WhatWasAcknowledgedIsThereAfterARestart) {
  BatchBuilder batch(kEpoch, 1, start_ns_);
  batch.Edge(1, batch.Party("curl", "a", "10.0.0.1", 0), batch.Party("", "", "10.0.0.2", 80), 3);
  Deliver("a", batch.batch());
  controller_.reset();
  Start();
  FakeAgent agent(controller_->address());
  const auto welcome = agent.Connect(FakeAgent::HelloOf("a", kEpoch));
  ASSERT_OK(welcome);
  ASSERT_EQ(welcome->durable_size(), 1);
  EXPECT_EQ(welcome->durable(0).boot_epoch(), kEpoch);
  EXPECT_EQ(welcome->durable(0).sequence(), 1);
  // Sent again, it counts once.
  ASSERT_TRUE(agent.Send(batch.batch()));
  ASSERT_OK(agent.AwaitAck(kEpoch, 1));
  EXPECT_EQ(Edges().edges(0).request_count(), 3);
}

TEST_F(ControllerTest, ASecondAgentWithTheSameIdIsRefusedUntilTheFirstIsGone) {
  auto first = std::make_unique<FakeAgent>(controller_->address());
  ASSERT_OK(first->Connect(FakeAgent::HelloOf("twin", 1)));
  v1::Hello hello = FakeAgent::HelloOf("twin", 2);
  hello.set_host("elsewhere");
  {
    FakeAgent second(controller_->address());
    const absl::Status refused = second.Connect(hello).status();
    EXPECT_TRUE(absl::IsAlreadyExists(refused)) << refused;
    EXPECT_THAT(std::string(refused.message()), HasSubstr("host-of-twin"));
  }
  first->Crash();
  first.reset();
  // The controller hears of it soon.
  const absl::Time give_up = absl::Now() + absl::Seconds(10);
  absl::Status status = absl::UnknownError("");
  while (!status.ok() && absl::Now() < give_up) {
    FakeAgent again(controller_->address());
    status = again.Connect(hello).status();
  }
  EXPECT_OK(status);
}

TEST_F(ControllerTest, TheSameRunTakesOverFromItsOlderStream) {
  FakeAgent first(controller_->address());
  ASSERT_OK(first.Connect(FakeAgent::HelloOf("a", kEpoch)));
  FakeAgent second(controller_->address());
  ASSERT_OK(second.Connect(FakeAgent::HelloOf("a", kEpoch)));
  EXPECT_TRUE(absl::IsAborted(first.AwaitAck(kEpoch, 1)));
  BatchBuilder batch(kEpoch, 1, start_ns_);
  ASSERT_TRUE(second.Send(batch.batch()));
  EXPECT_OK(second.AwaitAck(kEpoch, 1));
}

TEST_F(ControllerTest, APeerOfAnotherVersionIsToldWhatToUpgrade) {
  FakeAgent agent(controller_->address());
  v1::Hello hello = FakeAgent::HelloOf("new", 1);
  hello.set_protocol_version(base::kIngestProtocolVersion + base::kNewerAgentVersions + 1);
  const absl::Status refused = agent.Connect(hello).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(refused)) << refused;
  EXPECT_THAT(std::string(refused.message()), HasSubstr("upgrade the controller"));
}

TEST_F(ControllerTest, AnAgentOfAnotherClusterIsRefused) {
  FakeAgent agent(controller_->address());
  v1::Hello hello = FakeAgent::HelloOf("a", 1);
  hello.set_cluster("other");
  const absl::Status refused = agent.Connect(hello).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(refused)) << refused;
  EXPECT_THAT(std::string(refused.message()), AllOf(HasSubstr("default"), HasSubstr("other")));
}

TEST_F(ControllerTest, AMalformedBatchEndsTheStreamAndStoresNothing) {
  FakeAgent agent(controller_->address());
  ASSERT_OK(agent.Connect(FakeAgent::HelloOf("a", kEpoch)));
  BatchBuilder batch(kEpoch, 1, start_ns_);
  batch.Edge(1, 99, 99, 1);
  ASSERT_TRUE(agent.Send(batch.batch()));
  const absl::Status status = agent.AwaitAck(kEpoch, 1);
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  EXPECT_EQ(Edges().edges_size(), 0);
}

TEST_F(ControllerTest, ABatchBeforeHelloIsRefused) {
  FakeAgent agent(controller_->address());
  agent.Send(BatchBuilder(kEpoch, 1, start_ns_).batch());
  EXPECT_TRUE(absl::IsInvalidArgument(agent.AwaitAck(kEpoch, 1)));
}

TEST_F(ControllerTest, ManyAgentsSendAtOnceAndEachBatchCountsOnce) {
  constexpr int kAgents = 8;
  constexpr uint64_t kBatches = 50;
  std::vector<std::thread> threads;
  for (int a = 0; a < kAgents; ++a) {
    threads.emplace_back([&, a] {
      FakeAgent agent(controller_->address());
      const std::string id = absl::StrFormat("agent-%d", a);
      ASSERT_OK(agent.Connect(FakeAgent::HelloOf(id, kEpoch)));
      for (uint64_t i = 1; i <= kBatches; ++i) {
        BatchBuilder batch(kEpoch, i, start_ns_);
        batch.Edge(1, batch.Party("client", id, "", 0), batch.Party("", "", "10.0.0.2", 80), 1);
        ASSERT_TRUE(agent.Send(batch.batch()));
      }
      // Ends the stream at once: all that was sent is acknowledged before it does.
      ASSERT_OK(agent.Close());
      EXPECT_EQ(agent.acked(kEpoch), kBatches);
    });
  }
  for (std::thread& thread : threads) thread.join();
  const v1::ListEdgesResponse answer = Edges();
  ASSERT_EQ(answer.edges_size(), 1);
  EXPECT_EQ(answer.edges(0).request_count(), kAgents * kBatches);
  EXPECT_EQ(answer.edges(0).server(), "10.0.0.2:80");
  EXPECT_EQ(answer.edges(0).server_kind(), "external");
}

TEST_F(ControllerTest, ShutdownAcknowledgesWhatWasReceived) {
  FakeAgent agent(controller_->address());
  ASSERT_OK(agent.Connect(FakeAgent::HelloOf("a", kEpoch)));
  for (uint64_t i = 1; i <= 10; ++i) {
    ASSERT_TRUE(agent.Send(BatchBuilder(kEpoch, i, start_ns_).batch()));
  }
  ASSERT_OK(agent.AwaitAck(kEpoch, 1));
  controller_->Shutdown();
  const absl::Status ended = agent.AwaitAck(kEpoch, 11);
  EXPECT_TRUE(absl::IsUnavailable(ended)) << ended;
  const uint64_t acked = agent.acked(kEpoch);
  controller_.reset();
  Start();
  FakeAgent again(controller_->address());
  const auto welcome = again.Connect(FakeAgent::HelloOf("a", kEpoch));
  ASSERT_OK(welcome);
  EXPECT_GE(welcome->durable(0).sequence(), acked);
}

TEST_F(ControllerTest, SpansComeInPagesThatNeitherRepeatNorSkip) {
  BatchBuilder batch(kEpoch, 1, start_ns_);
  const uint32_t client = batch.Party("curl", "a", "10.0.0.1", 0);
  const uint32_t server = batch.Party("nginx:80", "a", "10.0.0.1", 80);
  constexpr int kSpans = 25;
  // Ten of them at the same time.
  for (int i = 1; i <= kSpans; ++i) {
    batch.Span(i, client, server, i > 10 ? 1000 : 0, 1000 * ((i * 7) % kSpans));
  }
  Deliver("a", batch.batch());
  for (const auto order :
       {v1::ListSpansRequest::ORDER_NEWEST, v1::ListSpansRequest::ORDER_SLOWEST}) {
    std::set<std::string> seen;
    v1::ListSpansRequest request;
    request.set_page_size(4);
    request.set_order(order);
    double before = 1e30;
    int pages = 0;
    do {
      const v1::ListSpansResponse page = Spans(request);
      ASSERT_GT(page.spans_size(), 0);
      for (const v1::Span& span : page.spans()) {
        EXPECT_TRUE(seen.insert(span.id()).second) << span.id();
        const double rank = order == v1::ListSpansRequest::ORDER_NEWEST
                                ? static_cast<double>(span.start_ns())
                                : span.duration_ms();
        EXPECT_LE(rank, before);
        before = rank;
      }
      request.set_page_token(page.next_page_token());
      ++pages;
    } while (!request.page_token().empty());
    EXPECT_EQ(seen.size(), kSpans);
    EXPECT_EQ(pages, 7);
  }
}

TEST_F(ControllerTest, ASpanIsFoundByItsId) {
  BatchBuilder batch(kEpoch, 1, start_ns_);
  const uint32_t party = batch.Party("nginx:80", "a", "10.0.0.1", 80);
  batch.Span(0xabcdef, party, party, 0, 2'000'000);
  Deliver("a", batch.batch());
  v1::GetSpanRequest request;
  v1::GetSpanResponse response;
  request.set_id("0000000000abcdef");
  {
    grpc::ClientContext context;
    ASSERT_OK(base::FromRpcStatus(query_->GetSpan(&context, request, &response)));
  }
  EXPECT_EQ(response.span().id(), "0000000000abcdef");
  EXPECT_EQ(response.span().duration_ms(), 2);
  request.set_id("0000000000abcdee");
  {
    grpc::ClientContext context;
    EXPECT_TRUE(
        absl::IsNotFound(base::FromRpcStatus(query_->GetSpan(&context, request, &response))));
  }
  request.set_id("abc");
  grpc::ClientContext context;
  EXPECT_TRUE(
      absl::IsInvalidArgument(base::FromRpcStatus(query_->GetSpan(&context, request, &response))));
}

TEST_F(ControllerTest, AnUnreadableFilterIsRefusedWithItsPosition) {
  v1::ListEdgesRequest request;
  request.set_filter("service=");
  v1::ListEdgesResponse response;
  grpc::ClientContext context;
  const absl::Status status = base::FromRpcStatus(query_->ListEdges(&context, request, &response));
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("column"));
}

TEST_F(ControllerTest, AFilterSelectsEdgesByResolvedName) {
  BatchBuilder batch(kEpoch, 1, start_ns_);
  const uint32_t client = batch.Party("curl", "a", "10.0.0.1", 0);
  batch.Edge(1, client, batch.Party("", "", "10.0.0.2", 80), 3);
  batch.Edge(1, client, batch.Party("", "", "10.0.0.3", 80), 4);
  batch.Binding("10.0.0.2", 80, "nginx:80", "b");
  Deliver("a", batch.batch());
  EXPECT_EQ(Edges().edges_size(), 2);
  const v1::ListEdgesResponse answer = Edges("server=\"nginx:80\"");
  ASSERT_EQ(answer.edges_size(), 1);
  EXPECT_EQ(answer.edges(0).request_count(), 3);
  EXPECT_EQ(answer.completeness().captured(), 3);
}

TEST_F(ControllerTest, LossesThatAreNoRequestsLowerTheFraction) {
  BatchBuilder batch(kEpoch, 1, start_ns_);
  batch.Edge(1, batch.Party("curl", "a", "10.0.0.1", 0), batch.Party("", "", "10.0.0.2", 80), 95);
  batch.Loss(static_cast<uint32_t>(model::LossStage::kCap), "a", "", 0, 5);
  batch.Process("a", "curl");
  Deliver("a", batch.batch());
  const v1::Completeness edges = Edges().completeness();
  EXPECT_EQ(edges.captured(), 95);
  EXPECT_EQ(edges.lost(), 0);
  EXPECT_EQ(edges.lost_other(), 5);
  EXPECT_EQ(edges.fraction(), 0.95);
  v1::ListProcessesResponse processes;
  grpc::ClientContext context;
  ASSERT_OK(base::FromRpcStatus(query_->ListProcesses(&context, {}, &processes)));
  EXPECT_EQ(processes.completeness().captured(), 1);
  EXPECT_EQ(processes.completeness().lost_other(), 5);
  EXPECT_LT(processes.completeness().fraction(), 1);
}

TEST_F(ControllerTest, ADifferenceThatNobodyCountedLowersTheFraction) {
  BatchBuilder batch(kEpoch, 1, start_ns_);
  const uint32_t curl = batch.Party("curl", "a", "10.0.0.1", 0);
  const uint32_t nginx = batch.Party("nginx:80", "a", "10.0.0.1", 80);
  batch.Edge(1, curl, nginx, 90);
  batch.Edge(2, curl, nginx, 80);
  Deliver("a", batch.batch());
  v1::ListEdgesRequest request;
  request.mutable_time()->set_start_ns(start_ns_ - 600 * kSecondNs);
  v1::ListEdgesResponse answer;
  grpc::ClientContext context;
  ASSERT_OK(base::FromRpcStatus(query_->ListEdges(&context, request, &answer)));
  EXPECT_EQ(answer.completeness().captured(), 90);
  EXPECT_EQ(answer.completeness().lost_other(), 10);
  EXPECT_EQ(answer.completeness().fraction(), 0.9);
  EXPECT_EQ(answer.completeness().notes_size(), 1);
}

TEST_F(ControllerTest, CompletenessIsOfWhatTheFilterMayConcern) {
  BatchBuilder batch(kEpoch, 1, start_ns_);
  const uint32_t curl = batch.Party("curl", "a", "10.0.0.1", 0);
  const uint32_t nginx = batch.Party("nginx:80", "a", "10.0.0.1", 80);
  const uint32_t cron = batch.Party("cron", "b", "10.0.0.9", 0);
  const uint32_t redis = batch.Party("redis:6379", "b", "10.0.0.9", 6379);
  batch.Edge(2, curl, nginx, 90);
  batch.Edge(2, cron, redis, 50);
  batch.LostOfEdge(2, cron, redis, 50);
  batch.Loss(static_cast<uint32_t>(model::LossStage::kKernelRing), "b", "", 0, 100);
  batch.Loss(static_cast<uint32_t>(model::LossStage::kCap), "b", "cron", 0, 4);
  batch.Span(1, curl, nginx, 0, 1000);
  batch.Span(2, cron, redis, 0, 1000);
  Deliver("a", batch.batch());
  const auto spans = [&](const std::string& filter) {
    v1::ListSpansRequest request;
    request.set_filter(filter);
    return Spans(request).completeness();
  };
  for (const std::string filter : {"service=\"nginx:80\"", "service=\"nginx:80\" pid>0"}) {
    SCOPED_TRACE(filter);
    EXPECT_EQ(spans(filter).captured(), 90);
    EXPECT_EQ(spans(filter).lost(), 0);
    EXPECT_EQ(spans(filter).lost_other(), 0);
    EXPECT_EQ(spans(filter).fraction(), 1);
  }
  EXPECT_EQ(spans("service=\"redis:6379\"").captured(), 50);
  EXPECT_EQ(spans("service=\"redis:6379\"").lost(), 50);
  EXPECT_EQ(spans("service=\"redis:6379\"").lost_other(), 4);
  EXPECT_EQ(spans("").fraction(), 140.0 / 194);
  // What was lost may have failed.
  const v1::Completeness failed = Edges("server=\"redis:6379\" status=error").completeness();
  EXPECT_EQ(failed.lost(), 50);
  EXPECT_EQ(failed.fraction(), 0);
  EXPECT_EQ(Edges("server=\"nginx:80\" status=error").completeness().fraction(), 1);
}

TEST_F(ControllerTest, RatesAreOverTheTimeThatWasWatched) {
  const auto epoch = static_cast<uint64_t>(start_ns_);
  BatchBuilder batch(epoch, 1, start_ns_ + 560 * kSecondNs);
  batch.Edge(1, batch.Party("curl", "a", "10.0.0.1", 0), batch.Party("", "", "10.0.0.2", 80), 600);
  FakeAgent agent(controller_->address());
  ASSERT_OK(agent.Connect(FakeAgent::HelloOf("a", epoch)));
  ASSERT_TRUE(agent.Send(batch.batch()));
  ASSERT_OK(agent.AwaitAck(epoch, 1));
  // Of an hour the agent has watched ten minutes; the newest windows are on their way.
  v1::ListEdgesRequest edges_request;
  edges_request.mutable_time()->set_start_ns(start_ns_ - 3000 * kSecondNs);
  edges_request.mutable_time()->set_end_ns(start_ns_ + 600 * kSecondNs);
  v1::ListEdgesResponse edges;
  {
    grpc::ClientContext context;
    ASSERT_OK(base::FromRpcStatus(query_->ListEdges(&context, edges_request, &edges)));
  }
  EXPECT_EQ(edges.covered().start_ns(), start_ns_);
  EXPECT_EQ(edges.covered().end_ns(), start_ns_ + 570 * kSecondNs);
  v1::ListServicesRequest request;
  *request.mutable_time() = edges_request.time();
  v1::ListServicesResponse services;
  grpc::ClientContext context;
  ASSERT_OK(base::FromRpcStatus(query_->ListServices(&context, request, &services)));
  ASSERT_EQ(services.services_size(), 2);
  EXPECT_NEAR(services.services(0).requests_per_second(), 600.0 / 570, 1e-9);
}

TEST_F(ControllerTest, ASilentAgentMakesAnswersPartial) {
  base::FakeClock clock(kSecondNs, start_ns_);
  ControllerOptions options = Options();
  options.data_directory = dir_.File("quiet");
  auto quiet = Controller::Start(options, clock);
  ASSERT_OK(quiet);
  const auto query = v1::QueryService::NewStub(
      grpc::CreateChannel((*quiet)->address(), grpc::InsecureChannelCredentials()));
  FakeAgent agent((*quiet)->address());
  ASSERT_OK(agent.Connect(FakeAgent::HelloOf("a", kEpoch)));
  BatchBuilder batch(kEpoch, 1, start_ns_);
  batch.Edge(1, batch.Party("curl", "host-of-a", "10.0.0.1", 0),
             batch.Party("", "", "10.0.0.2", 80), 9);
  batch.Span(1, 0, 1, 0, 1000);
  ASSERT_TRUE(agent.Send(batch.batch()));
  ASSERT_OK(agent.AwaitAck(kEpoch, 1));
  const auto ask = [&] {
    v1::ListEdgesRequest request;
    request.mutable_time()->set_start_ns(start_ns_ - kSecondNs);
    v1::ListEdgesResponse response;
    grpc::ClientContext context;
    EXPECT_OK(base::FromRpcStatus(query->ListEdges(&context, request, &response)));
    return response.completeness();
  };
  clock.Advance(kSecondNs);
  EXPECT_EQ(ask().fraction(), 1);
  clock.Advance(60 * kSecondNs);
  const v1::Completeness silent = ask();
  EXPECT_EQ(silent.fraction(), 0.9);
  ASSERT_EQ(silent.by_stage_size(), 1);
  EXPECT_EQ(silent.by_stage(0).stage(), "agent_silent");
  EXPECT_EQ(silent.by_stage(0).host(), "host-of-a");
  v1::ListProcessesResponse processes;
  grpc::ClientContext context;
  ASSERT_OK(base::FromRpcStatus(query->ListProcesses(&context, {}, &processes)));
  EXPECT_EQ(processes.completeness().fraction(), 0);
}

TEST_F(ControllerTest, AgentsAreListedWithTheirHealth) {
  FakeAgent agent(controller_->address());
  ASSERT_OK(agent.Connect(FakeAgent::HelloOf("a", kEpoch)));
  v1::Health health;
  health.set_rung(1);
  health.set_rss_bytes(50'000'000);
  ASSERT_TRUE(agent.Send(health));
  BatchBuilder batch(kEpoch, 1, start_ns_);
  ASSERT_TRUE(agent.Send(batch.batch()));
  ASSERT_OK(agent.AwaitAck(kEpoch, 1));
  const auto list = [&] {
    v1::ListAgentsResponse response;
    grpc::ClientContext context;
    EXPECT_OK(base::FromRpcStatus(query_->ListAgents(&context, {}, &response)));
    return response;
  };
  v1::ListAgentsResponse agents = list();
  ASSERT_EQ(agents.agents_size(), 1);
  EXPECT_EQ(agents.agents(0).state(), "connected");
  EXPECT_EQ(agents.agents(0).rung(), "heads");
  EXPECT_EQ(agents.agents(0).rss_mb(), 50);
  EXPECT_EQ(agents.agents(0).last_sequence(), 1);
  ASSERT_OK(agent.Close());
  const absl::Time give_up = absl::Now() + absl::Seconds(10);
  while (list().agents(0).state() == "connected" && absl::Now() < give_up) {
  }
  EXPECT_EQ(list().agents(0).state(), "silent");
}

TEST_F(ControllerTest, ATakenPortIsNamed) {
  ControllerOptions options = Options();
  options.listen = controller_->address();
  options.data_directory = dir_.File("other");
  const absl::Status status = Controller::Start(options, base::SystemClock()).status();
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr(controller_->address()), HasSubstr("another program does"),
                    Not(HasSubstr("\n"))));
}

TEST_F(ControllerTest, AStoreInUseIsNamed) {
  const absl::Status status = Controller::Start(Options(), base::SystemClock()).status();
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("in use by another process"), Not(HasSubstr("\n"))));
}

}  // namespace
}  // namespace kindling::controller
