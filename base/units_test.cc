#include "base/units.h"

#include <gtest/gtest.h>

#include <limits>

namespace kindling::base {
namespace {

TEST(Units, ParsesDurations) {
  EXPECT_EQ(ParseDurationNs("0"), 0);
  EXPECT_EQ(ParseDurationNs("5ns"), 5);
  EXPECT_EQ(ParseDurationNs("340us"), 340'000);
  EXPECT_EQ(ParseDurationNs("340\xc2\xb5s"), 340'000);
  EXPECT_EQ(ParseDurationNs("1.5ms"), 1'500'000);
  EXPECT_EQ(ParseDurationNs("2s"), 2'000'000'000);
  EXPECT_EQ(ParseDurationNs("2h30m"), 9'000'000'000'000);
  EXPECT_EQ(ParseDurationNs("1d"), 86'400'000'000'000);
}

TEST(Units, RefusesWhatIsNoDuration) {
  for (const char* text : {"", "5", "ms", "-5ms", "5 ms", "5msx", "1e9s", "1..5s", ".", "1m2",
                           "99999999999h", "nan", "inf", "5MS"}) {
    EXPECT_EQ(ParseDurationNs(text), std::nullopt) << text;
  }
}

TEST(Units, ParsesBytes) {
  EXPECT_EQ(ParseBytes("1500"), 1500);
  EXPECT_EQ(ParseBytes("10B"), 10);
  EXPECT_EQ(ParseBytes("1.5KB"), 1500);
  EXPECT_EQ(ParseBytes("2mb"), 2'000'000);
  EXPECT_EQ(ParseBytes("64KiB"), 65536);
  EXPECT_EQ(ParseBytes("1GiB"), 1 << 30);
  for (const char* text : {"", "KB", "-1", "1XB", "1 KB", "1e3", "10000000000000TB"}) {
    EXPECT_EQ(ParseBytes(text), std::nullopt) << text;
  }
}

TEST(Units, FormatsDurations) {
  EXPECT_EQ(FormatDurationNs(0), "0");
  EXPECT_EQ(FormatDurationNs(0.2), "1ns");
  EXPECT_EQ(FormatDurationNs(999), "999ns");
  EXPECT_EQ(FormatDurationNs(999.7), "1.0us");
  EXPECT_EQ(FormatDurationNs(340e3), "340us");
  EXPECT_EQ(FormatDurationNs(1.234e6), "1.2ms");
  EXPECT_EQ(FormatDurationNs(2e6), "2ms");
  EXPECT_EQ(FormatDurationNs(12.46e9), "12.5s");
  EXPECT_EQ(FormatDurationNs(59.97e9), "1m");
  EXPECT_EQ(FormatDurationNs(200e9), "3m20s");
  EXPECT_EQ(FormatDurationNs(7500e9), "2h5m");
  EXPECT_EQ(FormatDurationNs(99 * 3600e9), "4d3h");
  EXPECT_EQ(FormatDurationNs(-1.5e6), "-1.5ms");
  EXPECT_EQ(FormatDurationNs(std::numeric_limits<double>::quiet_NaN()), "?");
}

TEST(Units, FormatsBytes) {
  EXPECT_EQ(FormatBytes(0), "0B");
  EXPECT_EQ(FormatBytes(512), "512B");
  EXPECT_EQ(FormatBytes(1500), "1.5KB");
  EXPECT_EQ(FormatBytes(123456), "123KB");
  EXPECT_EQ(FormatBytes(12e6), "12.0MB");
  EXPECT_EQ(FormatBytes(999.9e9), "1.0TB");
}

}  // namespace
}  // namespace kindling::base
