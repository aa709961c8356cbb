#include "controller/tasks/task_hub.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "base/testing/status_matchers.h"
#include "kindling/v1/tasks.pb.h"

namespace kindling::controller {
namespace {

// Some message stands for a task.
constexpr char kTask[] = "kindling.v1.EndTask";

google::protobuf::Any SomeTask() {
  google::protobuf::Any any;
  any.PackFrom(v1::EndTask());
  return any;
}

class TaskHubTest : public ::testing::Test {
 protected:
  TaskHub::Lease Attend(const std::string& id) {
    const auto lease =
        hub_.Attend({.agent_id = id, .host = id + ".host", .tasks = {kTask}},
                    {.start = [this](v1::StartTask start) { starts_.push_back(std::move(start)); },
                     .end = [this](absl::Status status) { ends_.push_back(std::move(status)); }});
    EXPECT_OK(lease);
    return *lease;
  }
  std::unique_ptr<TaskRun> Start(const std::vector<std::string>& ids) {
    std::vector<TaskHub::Assignment> assignments;
    for (const std::string& id : ids) assignments.push_back({id, SomeTask()});
    auto run = hub_.Start(assignments, absl::Seconds(5));
    EXPECT_OK(run);
    return *std::move(run);
  }
  static absl::Time Soon() { return absl::Now() + absl::Milliseconds(20); }

  TaskHub hub_;
  std::vector<v1::StartTask> starts_;
  std::vector<absl::Status> ends_;
};

TEST_F(TaskHubTest, StartsATaskAtThoseThatAttend) {
  Attend("a");
  const auto run = Start({"a", "b"});
  ASSERT_EQ(starts_.size(), 1U);
  EXPECT_EQ(starts_[0].limit_ms(), 5000U);
  EXPECT_TRUE(starts_[0].task().Is<v1::EndTask>());
  const auto end = run->Next(Soon());
  ASSERT_TRUE(end.has_value());
  EXPECT_EQ(end->agent, 1U);
  EXPECT_TRUE(absl::IsUnavailable(end->end));

  const auto place = hub_.Find(starts_[0].task_id(), "a");
  ASSERT_OK(place);
  EXPECT_EQ(place->agent, 0U);
  EXPECT_TRUE(absl::IsNotFound(hub_.Find(starts_[0].task_id(), "b").status()));
  EXPECT_TRUE(absl::IsNotFound(hub_.Find(starts_[0].task_id() + 1, "a").status()));
}

TEST_F(TaskHubTest, ForgetsATaskWithItsRun) {
  Attend("a");
  auto run = Start({"a"});
  const auto place = hub_.Find(starts_[0].task_id(), "a");
  ASSERT_OK(place);
  run.reset();
  EXPECT_TRUE(place->queue->AsksOf(0).given_up);
  EXPECT_TRUE(absl::IsNotFound(hub_.Find(starts_[0].task_id(), "a").status()));
}

TEST_F(TaskHubTest, SaysWhoCannotDoIt) {
  ASSERT_OK(hub_.Attend({.agent_id = "old"}, {.start = [](v1::StartTask) { FAIL(); }}));
  const auto run = Start({"old"});
  EXPECT_TRUE(absl::IsUnimplemented(run->Next(Soon())->end));
  EXPECT_TRUE(run->done());
}

TEST_F(TaskHubTest, ALaterCallTakesOver) {
  const TaskHub::Lease first = Attend("a");
  Attend("a");
  ASSERT_EQ(ends_.size(), 1U);
  EXPECT_TRUE(absl::IsAborted(ends_[0]));
  hub_.Leave("a", first);  // changes nothing
  ASSERT_EQ(hub_.attendants().size(), 1U);
  EXPECT_EQ(hub_.attendants()[0].host, "a.host");
}

TEST_F(TaskHubTest, RefusesMoreRunsThanItHasRoomFor) {
  Attend("a");
  std::vector<std::unique_ptr<TaskRun>> runs;
  for (size_t i = 0; i < TaskHub::kMaxRuns; ++i) runs.push_back(Start({"a"}));
  const std::vector<TaskHub::Assignment> assignments = {{"a", SomeTask()}};
  EXPECT_TRUE(absl::IsResourceExhausted(hub_.Start(assignments, absl::Seconds(1)).status()));
  runs.pop_back();
  EXPECT_OK(hub_.Start(assignments, absl::Seconds(1)));
}

TEST_F(TaskHubTest, CloseEndsEverything) {
  Attend("a");
  const auto run = Start({"a"});
  hub_.Close();
  ASSERT_EQ(ends_.size(), 1U);
  EXPECT_TRUE(absl::IsUnavailable(ends_[0]));
  EXPECT_TRUE(run->done());
  EXPECT_TRUE(absl::IsUnavailable(hub_.Start({}, absl::Seconds(1)).status()));
  EXPECT_TRUE(absl::IsUnavailable(hub_.Attend({.agent_id = "b"}, {}).status()));
}

}  // namespace
}  // namespace kindling::controller
