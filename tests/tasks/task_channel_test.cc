// Agent and controller over the real calls: a task starts, gives, stops, fails, is left alone.

#include <google/protobuf/any.pb.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <utility>

#include "agent/tasks/attendance.h"
#include "base/testing/status_matchers.h"
#include "controller/access/caller.h"
#include "controller/tasks/task_hub.h"
#include "controller/tasks/task_service.h"
#include "kindling/v1/tasks.pb.h"

namespace kindling {
namespace {

using controller::TaskQueue;

// The test's tasks are asked for with this message, whose text says what to do.
using Order = v1::EndTask;

class OrderedTask final : public agent::Task {
 public:
  OrderedTask(std::string what, std::atomic<int>& ended) : what_(std::move(what)), ended_(ended) {}
  ~OrderedTask() override { ++ended_; }

  absl::Status Run(agent::TaskContext& context) override {
    Order output;
    if (what_ == "fail") return absl::DataLossError("as ordered");
    if (what_ == "flood") {
      output.set_message(std::string(100'000, 'x'));
      while (!context.stopped() && context.Emit(output)) ++sent;
      return absl::OkStatus();
    }
    output.set_message("first");
    context.Emit(output);
    while (!context.WaitUntilStopped(absl::Seconds(10))) {
    }
    output.set_message("last");
    context.Emit(output);
    return absl::OkStatus();
  }

  static inline std::atomic<int> sent = 0;

 private:
  const std::string what_;
  std::atomic<int>& ended_;
};

class TaskChannelTest : public ::testing::Test {
 protected:
  TaskChannelTest() { StartServer(); }
  ~TaskChannelTest() override { StopServer(); }

  void StartServer() {
    hub_ = std::make_unique<controller::TaskHub>();
    service_ = std::make_unique<controller::TaskService>(*hub_, access_);
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:" + std::to_string(port_),
                             grpc::InsecureServerCredentials(), &port_);
    builder.RegisterService(service_->service());
    server_ = builder.BuildAndStart();
  }
  void StopServer() {
    hub_->Close();
    server_->Shutdown(std::chrono::system_clock::now() + std::chrono::seconds(2));
    server_->Wait();
    server_.reset();
  }

  std::unique_ptr<agent::TaskAttendance> StartAgent() {
    auto attendance = agent::TaskAttendance::Create(
        {.controller = {.address = "127.0.0.1:" + std::to_string(port_)},
         .agent_id = "a",
         .host = "host-a",
         .max_tasks = 2,
         .first_retry = absl::Milliseconds(20),
         .last_retry = absl::Milliseconds(100)},
        {agent::MakeTaskKind<Order>(
            "order", [this](const Order& order) -> absl::StatusOr<std::unique_ptr<agent::Task>> {
              if (order.message() == "refuse") return absl::InvalidArgumentError("no such order");
              return std::make_unique<OrderedTask>(order.message(), ended_);
            })});
    EXPECT_OK(attendance);
    (*attendance)->Start();
    AwaitAttendance();
    return *std::move(attendance);
  }
  void AwaitAttendance() {
    const absl::Time deadline = absl::Now() + absl::Seconds(10);
    while (hub_->attendants().empty() && absl::Now() < deadline) absl::SleepFor(kStep);
    ASSERT_FALSE(hub_->attendants().empty());
  }
  std::unique_ptr<controller::TaskRun> Run(const std::string& what,
                                           absl::Duration limit = absl::Seconds(30)) {
    Order order;
    order.set_message(what);
    google::protobuf::Any any;
    any.PackFrom(order);
    auto run = hub_->Start({{"a", any}}, limit);
    EXPECT_OK(run);
    return *std::move(run);
  }
  // The text of the next output; that of the end's status in brackets.
  static std::string Next(controller::TaskRun& run) {
    const auto event = run.Next(absl::Now() + absl::Seconds(20));
    if (!event.has_value()) return "(nothing)";
    if (!event->output.has_value()) return "[" + std::string(event->end.message()) + "]";
    Order output;
    return event->output->UnpackTo(&output) ? output.message() : "(another message)";
  }
  void AwaitEnded(int count) {
    const absl::Time deadline = absl::Now() + absl::Seconds(10);
    while (ended_ < count && absl::Now() < deadline) absl::SleepFor(kStep);
    EXPECT_EQ(ended_, count);
  }

  static constexpr absl::Duration kStep = absl::Milliseconds(5);
  const controller::Access access_{"c"};
  int port_ = 0;
  std::unique_ptr<controller::TaskHub> hub_;
  std::unique_ptr<controller::TaskService> service_;
  std::unique_ptr<grpc::Server> server_;
  std::atomic<int> ended_ = 0;
};

TEST_F(TaskChannelTest, GivesOutputUntilItIsStopped) {
  const auto agent = StartAgent();
  const auto run = Run("wait");
  EXPECT_EQ(Next(*run), "first");
  run->Stop();
  EXPECT_EQ(Next(*run), "last");
  EXPECT_EQ(Next(*run), "[]");
  EXPECT_TRUE(run->done());
  AwaitEnded(1);
}

TEST_F(TaskChannelTest, EndsByItselfWhenItsTimeIsOver) {
  const auto agent = StartAgent();
  const auto run = Run("wait", absl::Milliseconds(100));
  EXPECT_EQ(Next(*run), "first");
  EXPECT_EQ(Next(*run), "last");
  EXPECT_EQ(Next(*run), "[]");
}

TEST_F(TaskChannelTest, FailuresAreTold) {
  const auto agent = StartAgent();
  EXPECT_EQ(Next(*Run("fail")), "[as ordered]");
  EXPECT_EQ(Next(*Run("refuse")), "[no such order]");
}

TEST_F(TaskChannelTest, ATaskEndsWhenNobodyReadsOn) {
  const auto agent = StartAgent();
  auto run = Run("wait");
  EXPECT_EQ(Next(*run), "first");
  run.reset();
  AwaitEnded(1);
}

TEST_F(TaskChannelTest, AReaderWhoIsSlowHoldsTheTaskUpAndNoOther) {
  OrderedTask::sent = 0;
  const auto agent = StartAgent();
  const auto slow = Run("flood");
  // It comes to rest: what nobody has taken yet is bounded.
  int sent = -1;
  while (sent != OrderedTask::sent || sent == 0) {
    sent = OrderedTask::sent;
    absl::SleepFor(absl::Milliseconds(200));
  }
  EXPECT_LT(sent * 100'000, 32 << 20);
  EXPECT_EQ(Next(*Run("fail")), "[as ordered]");
  for (int i = 0; i < 2 * sent; ++i) ASSERT_EQ(Next(*slow).size(), 100'000U);
}

TEST_F(TaskChannelTest, OneTaskTooManyIsRefused) {
  const auto agent = StartAgent();
  const auto first = Run("wait");
  const auto second = Run("wait");
  EXPECT_EQ(Next(*first), "first");
  EXPECT_EQ(Next(*second), "first");
  EXPECT_EQ(Next(*Run("wait")), "[the agent runs 2 tasks already: wait until one has ended]");
}

TEST_F(TaskChannelTest, AnAgentThatGoesAwayIsTold) {
  auto agent = StartAgent();
  const auto run = Run("wait");
  EXPECT_EQ(Next(*run), "first");
  agent.reset();  // a clean end: what there is still comes
  EXPECT_EQ(Next(*run), "last");
  EXPECT_EQ(Next(*run), "[]");
  EXPECT_EQ(Next(*Run("wait")), "[the agent is not connected]");
}

TEST_F(TaskChannelTest, ComesAgainAfterTheControllerDid) {
  const auto agent = StartAgent();
  {
    const auto run = Run("wait");
    EXPECT_EQ(Next(*run), "first");
    hub_->Close();
    EXPECT_TRUE(run->done());
    AwaitEnded(1);
  }
  StopServer();
  StartServer();
  AwaitAttendance();
  EXPECT_EQ(Next(*Run("fail")), "[as ordered]");
}

TEST_F(TaskChannelTest, OfAnotherClusterItIsNot) {
  auto attendance = agent::TaskAttendance::Create(
      {.controller = {.address = "127.0.0.1:" + std::to_string(port_)},
       .agent_id = "a",
       .cluster = "other"},
      {});
  ASSERT_OK(attendance);
  (*attendance)->Start();
  absl::SleepFor(absl::Milliseconds(300));
  EXPECT_TRUE(hub_->attendants().empty());
}

}  // namespace
}  // namespace kindling
