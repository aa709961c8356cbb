#include "agent/protocols/request_ring.h"

#include <string>

#include "gtest/gtest.h"

namespace kindling::agent {
namespace {

TEST(RequestRingTest, KeepsOrderWhileItGrowsAndWraps) {
  RequestRing<int> ring(1000);
  int pushed = 0;
  int popped = 0;
  for (int round = 0; round < 50; ++round) {
    for (int i = 0; i < round; ++i) ASSERT_TRUE(ring.Push(pushed++));
    for (int i = 0; i < round - 1; ++i) {
      ASSERT_EQ(ring.front(), popped++);
      ring.Pop();
    }
    ASSERT_EQ(ring.size(), static_cast<size_t>(pushed - popped));
    if (!ring.empty()) {
      EXPECT_EQ(ring.back(), pushed - 1);
      EXPECT_EQ(ring[ring.size() / 2], popped + static_cast<int>(ring.size()) / 2);
    }
  }
}

TEST(RequestRingTest, RefusesMoreThanItsLimit) {
  RequestRing<std::string> ring(3);
  EXPECT_TRUE(ring.Push("a"));
  EXPECT_TRUE(ring.Push("b"));
  EXPECT_TRUE(ring.Push("c"));
  EXPECT_TRUE(ring.full());
  EXPECT_FALSE(ring.Push("d"));
  ring.Pop();
  EXPECT_TRUE(ring.Push("e"));
  EXPECT_EQ(ring.front(), "b");
  EXPECT_EQ(ring.back(), "e");
  ring.Clear();
  EXPECT_TRUE(ring.empty());
  EXPECT_TRUE(ring.Push("f"));
  EXPECT_EQ(ring.front(), "f");
}

}  // namespace
}  // namespace kindling::agent
