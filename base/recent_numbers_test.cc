#include "base/recent_numbers.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

namespace kindling::base {
namespace {

TEST(RecentNumbersTest, KeysOfOnePlaceDoNotTakeEachOthersNumbers) {
  RecentNumbers<std::string, int, 4> recent;
  int made = 0;
  const auto number = [&](const std::string& key, uint64_t hash) {
    return recent.Find(
        hash, [&](const std::string& other) { return key == other; },
        [&] { return std::pair(key, ++made); });
  };
  EXPECT_EQ(number("a", 1), 1);
  EXPECT_EQ(number("a", 1), 1);
  EXPECT_EQ(number("b", 5), 2);  // the same place
  EXPECT_EQ(number("a", 1), 3);  // asked for again
  EXPECT_EQ(number("", 0), 4);   // an empty place holds no key, not even the empty one
  EXPECT_EQ(number("", 0), 4);
}

TEST(RecentNumbersTest, TheHashReadsNothingBeyondTheText) {
  for (size_t size = 0; size < 40; ++size) {
    const std::string text(size, 'x');
    const std::string copy = text;
    EXPECT_EQ(QuickHash(text), QuickHash(copy)) << size;
  }
  EXPECT_NE(QuickHash("checkout:80"), QuickHash("checkout:81"));
}

}  // namespace
}  // namespace kindling::base
