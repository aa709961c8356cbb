#include "base/bounded_queue.h"

#include <gtest/gtest.h>

#include <thread>

namespace kindling::base {
namespace {

TEST(BoundedQueue, CountsWhatItDropsAtTheBound) {
  BoundedQueue<int> queue(2);
  EXPECT_TRUE(queue.TryPush(1));
  EXPECT_TRUE(queue.TryPush(2));
  EXPECT_FALSE(queue.TryPush(3));
  EXPECT_EQ(queue.dropped(), 1u);
  EXPECT_EQ(queue.Pop(absl::ZeroDuration()), 1);
  EXPECT_EQ(queue.Pop(absl::ZeroDuration()), 2);
  EXPECT_EQ(queue.Pop(absl::ZeroDuration()), std::nullopt);
}

TEST(BoundedQueue, CloseWakesAWaiterAndKeepsItems) {
  BoundedQueue<int> queue(4);
  std::jthread closer([&] {
    queue.TryPush(7);
    queue.Close();
  });
  EXPECT_EQ(queue.Pop(absl::Seconds(30)), 7);
  EXPECT_EQ(queue.Pop(absl::Seconds(30)), std::nullopt);
  EXPECT_FALSE(queue.TryPush(8));
}

}  // namespace
}  // namespace kindling::base
