#include "agent/identity/dns_names.h"

#include <gtest/gtest.h>

#include "absl/strings/str_format.h"

namespace kindling::agent {
namespace {

TEST(DnsNames, TheLastNameOfAnAddressHolds) {
  DnsNames names({});
  names.Learn("db.test", "10.0.0.1");
  names.Learn("db.test", "fd00::1");
  EXPECT_EQ(names.NameOf("10.0.0.1"), "db.test");
  EXPECT_EQ(names.NameOf("fd00::1"), "db.test");
  EXPECT_EQ(names.NameOf("10.0.0.2"), "");
  names.Learn("new.test", "10.0.0.1");
  EXPECT_EQ(names.NameOf("10.0.0.1"), "new.test");
}

TEST(DnsNames, StaysBoundedAndKeepsTheNewest) {
  DnsNames names({.max_names = 100});
  for (int i = 0; i < 10'000; ++i) {
    names.Learn("n", absl::StrFormat("10.0.%d.%d", i / 256, i % 256));
  }
  EXPECT_EQ(names.NameOf("10.0.39.15"), "n");
  EXPECT_EQ(names.NameOf("10.0.0.0"), "");
}

}  // namespace
}  // namespace kindling::agent
