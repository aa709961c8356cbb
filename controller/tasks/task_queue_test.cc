#include "controller/tasks/task_queue.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>

#include "base/testing/status_matchers.h"

namespace kindling::controller {
namespace {

google::protobuf::Any Output(const std::string& value) {
  google::protobuf::Any any;
  any.set_value(value);
  return any;
}

absl::Time Soon() { return absl::Now() + absl::Milliseconds(20); }

class TaskQueueTest : public ::testing::Test {
 protected:
  TaskQueue queue_{2, absl::InfiniteFuture()};
};

TEST_F(TaskQueueTest, GivesWhatCameInItsOrderThenTheEnds) {
  ASSERT_TRUE(queue_.Open(0, [] {}));
  ASSERT_TRUE(queue_.Open(1, [] {}));
  queue_.Push(1, Output("b"));
  queue_.Push(0, Output("a"));
  queue_.End(1, absl::OkStatus());
  EXPECT_EQ(queue_.Next(Soon())->output->value(), "b");
  EXPECT_EQ(queue_.Next(Soon())->output->value(), "a");
  const auto end = queue_.Next(Soon());
  ASSERT_TRUE(end.has_value());
  EXPECT_EQ(end->agent, 1U);
  EXPECT_FALSE(end->output.has_value());
  EXPECT_FALSE(queue_.Next(Soon()).has_value());
  EXPECT_FALSE(queue_.done());
  queue_.End(0, absl::DataLossError("cut"));
  EXPECT_EQ(queue_.Next(Soon())->end, absl::DataLossError("cut"));
  EXPECT_TRUE(queue_.done());
}

TEST_F(TaskQueueTest, OnlyTheFirstEndCounts) {
  queue_.End(0, absl::DataLossError("first"));
  queue_.End(0, absl::OkStatus());
  queue_.Push(0, Output("late"));
  EXPECT_EQ(queue_.Next(Soon())->end, absl::DataLossError("first"));
  EXPECT_FALSE(queue_.Next(Soon()).has_value());
  EXPECT_FALSE(queue_.Open(0, [] {}));
}

TEST_F(TaskQueueTest, IsOpenedOnce) {
  EXPECT_TRUE(queue_.Open(0, [] {}));
  EXPECT_FALSE(queue_.Open(0, [] {}));
}

TEST_F(TaskQueueTest, AsksForMoreOnceThereIsRoom) {
  int woken = 0;
  ASSERT_TRUE(queue_.Open(0, [&] { ++woken; }));
  ASSERT_TRUE(queue_.Open(1, [] {}));
  EXPECT_TRUE(queue_.AsksOf(0).room);
  queue_.Push(0, Output(std::string(TaskQueue::kMaxBytes, 'x')));
  EXPECT_FALSE(queue_.AsksOf(0).room);
  EXPECT_TRUE(queue_.AsksOf(1).room);  // each has its own
  EXPECT_EQ(woken, 0);
  ASSERT_TRUE(queue_.Next(Soon()).has_value());
  EXPECT_EQ(woken, 1);
  EXPECT_TRUE(queue_.AsksOf(0).room);
}

TEST_F(TaskQueueTest, StopAndGiveUpReachTheOpenParts) {
  int woken = 0;
  ASSERT_TRUE(queue_.Open(0, [&] { ++woken; }));
  queue_.Stop();
  EXPECT_EQ(woken, 1);
  EXPECT_TRUE(queue_.AsksOf(0).stop);
  EXPECT_FALSE(queue_.AsksOf(0).given_up);
  queue_.Push(0, Output("x"));
  queue_.GiveUp();
  EXPECT_EQ(woken, 2);
  EXPECT_TRUE(queue_.AsksOf(0).given_up);
  EXPECT_TRUE(queue_.done());
  EXPECT_FALSE(queue_.Next(absl::InfiniteFuture()).has_value());
  EXPECT_FALSE(queue_.Open(1, [] {}));
}

TEST(TaskQueueDeadlineTest, WhoDoesNotOpenInTimeHasFailed) {
  TaskQueue queue(2, Soon());
  ASSERT_TRUE(queue.Open(0, [] {}));
  const auto event = queue.Next(absl::InfiniteFuture());
  ASSERT_TRUE(event.has_value());
  EXPECT_EQ(event->agent, 1U);
  EXPECT_TRUE(absl::IsDeadlineExceeded(event->end));
  EXPECT_FALSE(queue.Open(1, [] {}));
}

TEST_F(TaskQueueTest, WakesTheReader) {
  ASSERT_TRUE(queue_.Open(0, [] {}));
  std::thread pusher([this] { queue_.Push(0, Output("x")); });
  EXPECT_TRUE(queue_.Next(absl::InfiniteFuture()).has_value());
  pusher.join();
}

}  // namespace
}  // namespace kindling::controller
