#include "agent/aggregate/boot_to_wall.h"

#include <gtest/gtest.h>

namespace kindling::agent {
namespace {

constexpr int64_t kSecond = 1'000'000'000;

TEST(BootToWallTest, KnowsNothingBeforeTheFirstReading) {
  EXPECT_EQ(BootToWall().ToWallNs(123), 0);
}

TEST(BootToWallTest, FollowsSlowDriftWithoutAStep) {
  BootToWall clock;
  clock.Update(10 * kSecond, 1000 * kSecond);
  clock.Update(20 * kSecond, 1010 * kSecond + 500'000);
  EXPECT_EQ(clock.ToWallNs(20 * kSecond), 1010 * kSecond + 500'000);
  EXPECT_EQ(clock.ToWallNs(5 * kSecond), 995 * kSecond + 500'000);
  EXPECT_EQ(clock.ToBootNs(1010 * kSecond + 500'000), 20 * kSecond);
}

TEST(BootToWallTest, AStepDoesNotMoveThePast) {
  BootToWall clock;
  clock.Update(10 * kSecond, 1000 * kSecond);
  clock.Update(20 * kSecond, 5000 * kSecond);
  EXPECT_EQ(clock.ToWallNs(19 * kSecond), 1009 * kSecond);
  EXPECT_EQ(clock.ToWallNs(20 * kSecond), 5000 * kSecond);
  EXPECT_EQ(clock.ToWallNs(21 * kSecond), 5001 * kSecond);
}

TEST(BootToWallTest, ForgetsOldestStepsFirst) {
  BootToWall clock;
  for (int64_t i = 0; i < 40; ++i) clock.Update(i * kSecond, i * 100 * kSecond);
  EXPECT_EQ(clock.ToWallNs(39 * kSecond), 3900 * kSecond);
  EXPECT_EQ(clock.ToWallNs(38 * kSecond), 3800 * kSecond);
  // Older than every step still known: the oldest known offset, that of step 24.
  EXPECT_EQ(clock.ToWallNs(0), 24 * 99 * kSecond);
}

}  // namespace
}  // namespace kindling::agent
