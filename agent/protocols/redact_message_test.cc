#include "agent/protocols/redact_message.h"

#include "gtest/gtest.h"

namespace kindling::agent {
namespace {

std::string Whole(std::string_view message) { return RedactMessage(message, true, 100); }

TEST(RedactMessageTest, TakesOutWhatIsQuoted) {
  EXPECT_EQ(Whole("Table 'shop.prices' doesn't exist"), "Table ? doesn't exist");
  EXPECT_EQ(Whole("ERR unknown command `FOO`, with args beginning with: `a`, `b`, "),
            "ERR unknown command ?, ");
  EXPECT_EQ(Whole("value is not an integer or out of range"),
            "value is not an integer or out of range");
  EXPECT_EQ(Whole(""), "");
}

TEST(RedactMessageTest, AQuoteInTheDataDoesNotBringItOut) {
  EXPECT_EQ(Whole("near 'a' or secret = 'b' at line 1"), "near ? at line 1");
  EXPECT_EQ(Whole("Duplicate entry 'it's me' for key 'PRIMARY'"), "Duplicate entry ?");
}

TEST(RedactMessageTest, ACutMessageKeepsNothingAfterTheFirstQuote) {
  EXPECT_EQ(RedactMessage("near 'a' secr", false, 100), "near ?");
  EXPECT_EQ(Whole("near 'secret"), "near ?");
}

TEST(RedactMessageTest, IsCappedAndPrintable) {
  EXPECT_EQ(RedactMessage("ERR abcdef", true, 6), "ERR ab");
  EXPECT_EQ(Whole("a\r\nb\x01"
                  "c"),
            "a  b c");
}

}  // namespace
}  // namespace kindling::agent
