#include "ui/cli/selector.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "base/testing/status_matchers.h"
#include "kindling/v1/query.pb.h"

namespace kindling::ui {
namespace {

using ::testing::HasSubstr;

// The matchers one after another: name, operator's number, value.
std::string Parsed(const std::string& text) {
  const auto matchers = ParseSelector(text);
  if (!matchers.ok()) return matchers.status().ToString();
  std::string out;
  for (const v1::LabelMatcher& matcher : *matchers) {
    out += matcher.name() + " " + std::to_string(matcher.operator_()) + " " + matcher.value() + ";";
  }
  return out;
}

TEST(SelectorTest, AsPrometheusWritesThem) {
  EXPECT_EQ(Parsed("up"), "__name__ 1 up;");
  EXPECT_EQ(Parsed("up{}"), "__name__ 1 up;");
  EXPECT_EQ(Parsed(R"({host="a"})"), "host 1 a;");
  EXPECT_EQ(Parsed(R"( up { a = "1" , b != "2", c=~"3.*",d!~"4", } )"),
            "__name__ 1 up;a 1 1;b 2 2;c 3 3.*;d 4 4;");
  EXPECT_EQ(Parsed(R"({a="x\"y\\z\nw",b="}"})"), "a 1 x\"y\\z\nw;b 1 };");
  EXPECT_EQ(Parsed(""), "");
}

TEST(SelectorTest, WhatIsWrongIsSaidWithItsPlace) {
  for (const auto& [text, message] :
       {std::pair{"up{", "the name of a label was expected at column 4"},
        std::pair{"up{a}", "one of = != =~ !~ was expected"},
        std::pair{"up{a=1}", "in double quotes was expected"},
        std::pair{"up{a=\"1}", "the closing quote was expected"},
        std::pair{"up{a=\"1\\", "the closing quote was expected"},
        std::pair{"up{a=\"1\" b=\"2\"}", "\",\" or \"}\""},
        std::pair{"up down", "nothing more was expected at column 4"},
        std::pair{"{,}", "the name of a label"}}) {
    const auto matchers = ParseSelector(text);
    EXPECT_TRUE(absl::IsInvalidArgument(matchers.status())) << text;
    EXPECT_THAT(std::string(matchers.status().message()), HasSubstr(message));
  }
}

}  // namespace
}  // namespace kindling::ui
