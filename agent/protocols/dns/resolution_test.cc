#include "agent/protocols/dns/resolution.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace kindling::agent::dns {
namespace {

TEST(DnsResolutionTest, GivesTheNameAndItsAddresses) {
  Record record;
  record.attributes = {{kQuestionNameAttribute, "shop.test"},
                       {kAnswersAttribute, "10.0.0.1,fd00::1"}};
  const auto resolution = ResolutionOf(record);
  ASSERT_TRUE(resolution.has_value());
  EXPECT_EQ(resolution->name, "shop.test");
  EXPECT_THAT(resolution->addresses, ::testing::ElementsAre("10.0.0.1", "fd00::1"));
}

TEST(DnsResolutionTest, NeedsBoth) {
  Record record;
  EXPECT_FALSE(ResolutionOf(record).has_value());
  record.attributes = {{kQuestionNameAttribute, "shop.test"}};
  EXPECT_FALSE(ResolutionOf(record).has_value());
  record.attributes = {{kAnswersAttribute, "10.0.0.1"}};
  EXPECT_FALSE(ResolutionOf(record).has_value());
}

}  // namespace
}  // namespace kindling::agent::dns
