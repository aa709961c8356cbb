#include "base/utf8.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace kindling::base {
namespace {

TEST(Utf8, TakesCodePoints) {
  std::string_view text = "a\xc2\xb5\xe2\x80\xa6\xf0\x9f\x98\x80";
  std::vector<char32_t> points;
  while (!text.empty()) points.push_back(TakeUtf8(text).value());
  EXPECT_EQ(points, (std::vector<char32_t>{'a', 0xb5, 0x2026, 0x1f600}));
}

TEST(Utf8, RefusesMalformedBytesOneAtATime) {
  for (const std::string bad : {"\x80", "\xc0\x80", "\xc2", "\xe0\x80\x80", "\xed\xa0\x80",
                                "\xf4\x90\x80\x80", "\xf8\x88\x80\x80\x80", "\xe2\x80", "\xff"}) {
    EXPECT_FALSE(IsValidUtf8(bad)) << ::testing::PrintToString(bad);
    std::string_view rest = bad;
    EXPECT_EQ(TakeUtf8(rest), std::nullopt);
    EXPECT_EQ(rest.size(), bad.size() - 1);
  }
  EXPECT_TRUE(IsValidUtf8(""));
  EXPECT_TRUE(IsValidUtf8("\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf"));
}

TEST(Utf8, BytesThatBelongToNothingAreReplaced) {
  EXPECT_EQ(ToValidUtf8("caf\xc3\xa9"), "caf\xc3\xa9");
  EXPECT_EQ(ToValidUtf8("\xff|\xc3"), "?|?");
  EXPECT_EQ(ToValidUtf8("\xed\xa0\x80x"), "???x");
}

}  // namespace
}  // namespace kindling::base
