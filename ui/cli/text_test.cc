#include "ui/cli/text.h"

#include <gtest/gtest.h>

namespace kindling::ui {
namespace {

TEST(Text, HostileTextBecomesVisible) {
  EXPECT_EQ(CleanText("GET /\x1b[2J\x1b]0;x\x07"), "GET /\\x1b[2J\\x1b]0;x\\x07");
  EXPECT_EQ(CleanText("a\nb\tc\r\x7f"), "a\\nb\\tc\\r\\x7f");
  EXPECT_EQ(CleanText(std::string("a\0b", 3)), "a\\x00b");
  EXPECT_EQ(CleanText("\xff\xc2"), "\\xff\\xc2");
  EXPECT_EQ(CleanText("\xc2\x9b"), "\\u{9b}");                    // CSI as one character
  EXPECT_EQ(CleanText("\xe2\x80\xaexe.txt"), "\\u{202e}xe.txt");  // right-to-left override
}

TEST(Text, OrdinaryTextStays) {
  EXPECT_EQ(CleanText("GET /caf\xc3\xa9/\xe6\x97\xa5"), "GET /caf\xc3\xa9/\xe6\x97\xa5");
}

TEST(Text, WidthInColumns) {
  EXPECT_EQ(DisplayWidth("abc"), 3u);
  EXPECT_EQ(DisplayWidth("caf\xc3\xa9"), 4u);
  EXPECT_EQ(DisplayWidth("e\xcc\x81"), 1u);
  EXPECT_EQ(DisplayWidth("\xe6\x97\xa5\xe6\x9c\xac"), 4u);
}

TEST(Text, TruncatesToColumns) {
  EXPECT_EQ(Truncate("abcdef", 6, "\xe2\x80\xa6"), "abcdef");
  EXPECT_EQ(Truncate("abcdef", 4, "\xe2\x80\xa6"), "abc\xe2\x80\xa6");
  EXPECT_EQ(Truncate("abcdef", 4, "..."), "a...");
  EXPECT_EQ(Truncate("abcdef", 2, "..."), "..");
  // A wide character is not cut in half.
  EXPECT_EQ(Truncate("\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e", 4, "\xe2\x80\xa6"),
            "\xe6\x97\xa5\xe2\x80\xa6");
}

}  // namespace
}  // namespace kindling::ui
