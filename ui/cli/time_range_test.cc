#include "ui/cli/time_range.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/testing/status_matchers.h"

namespace kindling::ui {
namespace {

using ::testing::HasSubstr;
using Text = std::optional<std::string>;

constexpr int64_t kSecond = 1'000'000'000;
constexpr int64_t kNow = 1'700'000'000 * kSecond;  // 2023-11-14 22:13:20 UTC

absl::StatusOr<AskedRange> Parse(Text since, Text from = {}, Text to = {}) {
  return ParseTimeRange(since, from, to, kNow, absl::FixedTimeZone(3600));
}
int64_t From(const std::string& from) {
  const auto range = Parse({}, from);
  EXPECT_OK(range) << from;
  return range.ok() ? range->start_ns : -1;
}

TEST(TimeRange, Since) {
  EXPECT_EQ(Parse({})->start_ns, kNow - 900 * kSecond);
  EXPECT_EQ(Parse("5m")->start_ns, kNow - 300 * kSecond);
  EXPECT_EQ(Parse("5m")->end_ns, 0);
  EXPECT_EQ(Parse("all")->start_ns, 0);
  EXPECT_EQ(Parse("99999h")->start_ns, kNow - 99999 * 3600 * kSecond);
}

TEST(TimeRange, Moments) {
  EXPECT_EQ(From("30m"), kNow - 1800 * kSecond);
  EXPECT_EQ(From("2023-11-14T22:00:00Z"), kNow - 800 * kSecond);
  EXPECT_EQ(From("2023-11-14T23:00:00+01:00"), kNow - 800 * kSecond);
  // In the zone asked for, where none is written.
  EXPECT_EQ(From("2023-11-14 23:00"), kNow - 800 * kSecond);
  EXPECT_EQ(From("2023-11-14T23:00:00.5"), kNow - 800 * kSecond + kSecond / 2);
  EXPECT_EQ(From("23:00"), kNow - 800 * kSecond);
  EXPECT_EQ(From("23:13:19"), kNow - kSecond);
  const auto range = Parse({}, "1h", "30m");
  ASSERT_OK(range);
  EXPECT_EQ(range->start_ns, kNow - 3600 * kSecond);
  EXPECT_EQ(range->end_ns, kNow - 1800 * kSecond);
  EXPECT_EQ(Parse({}, {}, "now")->end_ns, kNow);
}

TEST(TimeRange, Faults) {
  const auto error = [](Text since, Text from = {}, Text to = {}) {
    const auto range = Parse(since, from, to);
    EXPECT_FALSE(range.ok());
    return std::string(range.status().message());
  };
  EXPECT_THAT(error("5"), HasSubstr("--since: \"5\" is no duration; write 5m, 2h or all"));
  EXPECT_THAT(error("0"), HasSubstr("no duration"));
  EXPECT_THAT(error("5m", "1h"), HasSubstr("together with --from"));
  EXPECT_THAT(error({}, "yesterday"), HasSubstr("--from: \"yesterday\" is no time"));
  EXPECT_THAT(error({}, "30m", "1h"), HasSubstr("is empty"));
  EXPECT_THAT(error({}, "1900-01-01"), HasSubstr("before 1970"));
}

}  // namespace
}  // namespace kindling::ui
