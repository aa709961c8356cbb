#include "ui/cli/args.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/testing/status_matchers.h"

namespace kindling::ui {
namespace {

using ::testing::ElementsAre;

const std::vector<OptionSpec> kSpecs = {
    {.name = "output", .letter = 'o', .value = "FORMAT", .help = "", .choices = {"json", "table"}},
    {.name = "filter", .letter = 'f', .value = "FILTER", .help = "", .repeats = true},
    {.name = "utc", .help = ""},
};

absl::StatusOr<ParsedArgs> Parse(std::vector<std::string> args) { return ParseArgs(args, kSpecs); }
std::string ErrorOf(std::vector<std::string> args) {
  const auto parsed = Parse(std::move(args));
  EXPECT_FALSE(parsed.ok());
  return std::string(parsed.status().message());
}

TEST(Args, EveryFormOfAnOption) {
  for (const std::vector<std::string>& args :
       {std::vector<std::string>{"get", "--output", "json", "edges"},
        {"get", "edges", "--output=json"},
        {"-o", "json", "get", "edges"},
        {"get", "-ojson", "edges"},
        {"get", "-o=json", "edges"}}) {
    const auto parsed = Parse(args);
    ASSERT_OK(parsed);
    EXPECT_THAT(parsed->words, ElementsAre("get", "edges"));
    EXPECT_EQ(parsed->value("output"), "json");
    EXPECT_EQ(parsed->value("filter"), std::nullopt);
  }
}

TEST(Args, RepeatedAndEmptyValues) {
  const auto parsed = Parse({"-f", "slow", "--filter=", "--utc", "--", "-f", "--"});
  ASSERT_OK(parsed);
  EXPECT_THAT(parsed->options.at("filter"), ElementsAre("slow", ""));
  EXPECT_TRUE(parsed->has("utc"));
  EXPECT_THAT(parsed->words, ElementsAre("-f", "--"));
}

TEST(Args, Faults) {
  EXPECT_EQ(ErrorOf({"--outptu", "json"}), "unknown option --outptu; did you mean --output?");
  EXPECT_EQ(ErrorOf({"--zebra"}), "unknown option --zebra");
  EXPECT_EQ(ErrorOf({"-z"}), "unknown option -z");
  EXPECT_EQ(ErrorOf({"-o"}), "--output needs a value: FORMAT");
  EXPECT_EQ(ErrorOf({"-o", "xml"}), "--output is one of json, table, not \"xml\"");
  EXPECT_EQ(ErrorOf({"--utc=yes"}), "--utc takes no value");
  EXPECT_EQ(ErrorOf({"-ojson", "-otable"}), "--output is given twice");
}

}  // namespace
}  // namespace kindling::ui
