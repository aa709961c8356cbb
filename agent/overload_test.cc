#include "agent/overload.h"

#include <gtest/gtest.h>

namespace kindling::agent {
namespace {

constexpr int64_t kSecond = 1'000'000'000;

// Runs the ladder for `seconds` at a steady `cores` of CPU.
struct Machine {
  explicit Machine(uint32_t cpu_percent) : ladder(cpu_percent) { ladder.Update(now_ns, cpu_s); }
  void For(int seconds, double cores) {
    for (int i = 0; i < seconds; ++i) {
      now_ns += kSecond;
      cpu_s += cores;
      ladder.Update(now_ns, cpu_s);
    }
  }
  OverloadLadder ladder;
  int64_t now_ns = kSecond;
  double cpu_s = 0;
};

TEST(OverloadLadder, StaysFullWithinTheBudget) {
  Machine run(50);
  run.For(600, 0.5);
  EXPECT_EQ(run.ladder.rung(), Rung::kFull);
}

TEST(OverloadLadder, GoesDownRungByRungAndNoFurther) {
  Machine run(50);
  run.For(4, 0.9);
  EXPECT_EQ(run.ladder.rung(), Rung::kFull) << "a burst is not overload";
  run.For(1, 0.9);
  EXPECT_EQ(run.ladder.rung(), Rung::kHeads);
  run.For(5, 0.9);
  EXPECT_EQ(run.ladder.rung(), Rung::kAggregates);
  run.For(100, 0.9);
  EXPECT_EQ(run.ladder.rung(), Rung::kCounters);
}

TEST(OverloadLadder, ComesBackSlowly) {
  Machine run(50);
  run.For(10, 0.9);
  ASSERT_EQ(run.ladder.rung(), Rung::kAggregates);
  run.For(29, 0.1);
  EXPECT_EQ(run.ladder.rung(), Rung::kAggregates);
  run.For(5, 0.1);
  EXPECT_EQ(run.ladder.rung(), Rung::kHeads);
  run.For(35, 0.4);  // within the budget, but the rung above would not be
  EXPECT_EQ(run.ladder.rung(), Rung::kHeads);
  run.For(35, 0.1);
  EXPECT_EQ(run.ladder.rung(), Rung::kFull);
}

}  // namespace
}  // namespace kindling::agent
