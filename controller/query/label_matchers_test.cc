#include "controller/query/label_matchers.h"

#include <gmock/gmock.h>
#include <google/protobuf/repeated_field.h>
#include <gtest/gtest.h>

#include "base/testing/status_matchers.h"
#include "kindling/v1/query.pb.h"

namespace kindling::controller {
namespace {

using v1::LabelMatcher;

LabelMatcher Matcher(const std::string& name, LabelMatcher::Operator op, const std::string& value) {
  LabelMatcher matcher;
  matcher.set_name(name);
  matcher.set_operator_(op);
  matcher.set_value(value);
  return matcher;
}

absl::StatusOr<LabelMatchers> Parse(const std::vector<LabelMatcher>& matchers) {
  const google::protobuf::RepeatedPtrField<LabelMatcher> field(matchers.begin(), matchers.end());
  return LabelMatchers::Parse(field);
}

const model::MetricSeries kSeries = {.name = "tcp_srtt_seconds",
                                     .kind = model::MetricKind::kGauge,
                                     .labels = {{"host", "node-1"}, {"peer", "10.0.0.2"}}};

bool Matches(const LabelMatcher& matcher) {
  const auto parsed = Parse({matcher});
  EXPECT_OK(parsed);
  return parsed->Matches(kSeries);
}

TEST(LabelMatchersTest, EachOperator) {
  EXPECT_TRUE(Matches(Matcher("host", LabelMatcher::OPERATOR_EQUAL, "node-1")));
  EXPECT_FALSE(Matches(Matcher("host", LabelMatcher::OPERATOR_EQUAL, "node")));
  EXPECT_TRUE(Matches(Matcher("host", LabelMatcher::OPERATOR_NOT_EQUAL, "node-2")));
  EXPECT_TRUE(Matches(Matcher("peer", LabelMatcher::OPERATOR_MATCHES, "10[.].*")));
  // Of the whole value.
  EXPECT_FALSE(Matches(Matcher("peer", LabelMatcher::OPERATOR_MATCHES, "10")));
  EXPECT_TRUE(Matches(Matcher("peer", LabelMatcher::OPERATOR_NOT_MATCHES, "10")));
  EXPECT_TRUE(Matches(Matcher("__name__", LabelMatcher::OPERATOR_MATCHES, "tcp_.*")));
  EXPECT_FALSE(Matches(Matcher("__name__", LabelMatcher::OPERATOR_EQUAL, "dns_seconds")));
  // A label that is not there is empty.
  EXPECT_TRUE(Matches(Matcher("zone", LabelMatcher::OPERATOR_EQUAL, "")));
  EXPECT_TRUE(Matches(Matcher("zone", LabelMatcher::OPERATOR_MATCHES, "a?")));
  EXPECT_FALSE(Matches(Matcher("zone", LabelMatcher::OPERATOR_NOT_EQUAL, "")));
}

TEST(LabelMatchersTest, EqualityIsLeftToTheIndex) {
  const auto matchers = Parse({Matcher("__name__", LabelMatcher::OPERATOR_EQUAL, "m"),
                               Matcher("a", LabelMatcher::OPERATOR_EQUAL, "1"),
                               Matcher("b", LabelMatcher::OPERATOR_EQUAL, ""),
                               Matcher("c", LabelMatcher::OPERATOR_MATCHES, "x")});
  ASSERT_OK(matchers);
  EXPECT_EQ(matchers->name(), "m");
  EXPECT_EQ(matchers->labels(), (std::vector<std::pair<std::string, std::string>>{{"a", "1"}}));
}

TEST(LabelMatchersTest, WhatSelectsNothingIsKnown) {
  EXPECT_FALSE(Parse({})->selects());
  EXPECT_FALSE(Parse({Matcher("a", LabelMatcher::OPERATOR_MATCHES, ".*")})->selects());
  EXPECT_FALSE(Parse({Matcher("a", LabelMatcher::OPERATOR_NOT_EQUAL, "x")})->selects());
  EXPECT_TRUE(Parse({Matcher("a", LabelMatcher::OPERATOR_MATCHES, ".+")})->selects());
  EXPECT_TRUE(Parse({Matcher("a", LabelMatcher::OPERATOR_NOT_EQUAL, "")})->selects());
}

TEST(LabelMatchersTest, FaultsAreNamed) {
  using ::testing::HasSubstr;
  const auto fault = [](const std::vector<LabelMatcher>& matchers) {
    const auto parsed = Parse(matchers);
    EXPECT_TRUE(absl::IsInvalidArgument(parsed.status()));
    return std::string(parsed.status().message());
  };
  const LabelMatcher sound = Matcher("a", LabelMatcher::OPERATOR_EQUAL, "1");
  EXPECT_THAT(fault({sound, Matcher("", LabelMatcher::OPERATOR_EQUAL, "1")}),
              HasSubstr("matchers[1]: name"));
  EXPECT_THAT(fault({Matcher("a", LabelMatcher::OPERATOR_MATCHES, "(")}), HasSubstr("matchers[0]"));
  EXPECT_THAT(fault({Matcher("a", LabelMatcher::OPERATOR_UNSPECIFIED, "1")}),
              HasSubstr("operator"));
  EXPECT_THAT(fault({Matcher("a", LabelMatcher::OPERATOR_EQUAL, std::string(2000, 'x'))}),
              HasSubstr("1024"));
  EXPECT_THAT(fault(std::vector<LabelMatcher>(33, sound)), HasSubstr("at most 32"));
}

}  // namespace
}  // namespace kindling::controller
