#include "ui/cli/format.h"

#include <gtest/gtest.h>

#include <csignal>

namespace kindling::ui {
namespace {

TEST(Format, Counts) {
  EXPECT_EQ(FormatCount(0), "0");
  EXPECT_EQ(FormatCount(9007199254740992), "9007199254740992");
  EXPECT_EQ(Plural(1, "request"), "1 request");
  EXPECT_EQ(Plural(0, "request"), "0 requests");
  EXPECT_EQ(FormatShortCount(9999), "9999");
  EXPECT_EQ(FormatShortCount(12345), "12.3k");
  EXPECT_EQ(FormatShortCount(1234567), "1.2M");
}

TEST(Format, DurationsRatesAndShares) {
  EXPECT_EQ(FormatMs(0), "-");
  EXPECT_EQ(FormatMs(0.34), "340us");
  EXPECT_EQ(FormatMs(1.234), "1.2ms");
  EXPECT_EQ(FormatRate(0), "0");
  EXPECT_EQ(FormatRate(0.01), "<0.1");
  EXPECT_EQ(FormatRate(12.34), "12.3");
  EXPECT_EQ(FormatRate(1234), "1234");
  EXPECT_EQ(FormatPercent(0), "-");
  EXPECT_EQ(FormatPercent(0.0001), "<0.1%");
  EXPECT_EQ(FormatPercent(0.012), "1.2%");
  EXPECT_EQ(FormatPercent(0.5), "50%");
}

TEST(Format, ProtocolNamesOnlyAnUnusualTransport) {
  EXPECT_EQ(FormatProtocol("http", "tcp"), "http");
  EXPECT_EQ(FormatProtocol("mysql", "unix"), "mysql/unix");
  EXPECT_EQ(FormatProtocol("dns", "udp"), "dns");
  EXPECT_EQ(FormatProtocol("dns", "tcp"), "dns/tcp");
  EXPECT_EQ(FormatProtocol("unknown", "udp"), "udp");
  EXPECT_EQ(FormatProtocol("", ""), "unknown");
}

TEST(Format, Times) {
  const int64_t ns = 1'700'000'000'123'456'789;  // 2023-11-14 22:13:20 UTC
  const absl::TimeZone utc = absl::UTCTimeZone();
  EXPECT_EQ(FormatTime(ns, utc), "2023-11-14 22:13:20.123");
  EXPECT_EQ(FormatTime(ns, absl::FixedTimeZone(3600)), "2023-11-14 23:13:20.123");
  EXPECT_EQ(FormatTimeShort(ns, ns + 1'000'000'000, utc), "22:13:20.123");
  EXPECT_EQ(FormatTimeShort(ns, ns + 86'400'000'000'000, utc), "2023-11-14 22:13:20.123");
  EXPECT_EQ(FormatTimeExact(ns, utc), "2023-11-14 22:13:20.123456 UTC");
}

TEST(Format, Signals) {
  EXPECT_EQ(FormatSignal(SIGSEGV), "SIGSEGV");
  EXPECT_EQ(FormatSignal(0), "signal 0");
  EXPECT_EQ(FormatSignal(5000), "signal 5000");
}

}  // namespace
}  // namespace kindling::ui
