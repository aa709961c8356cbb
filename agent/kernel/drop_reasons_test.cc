#include "agent/kernel/drop_reasons.h"

#include <gtest/gtest.h>

namespace kindling::agent {
namespace {

TEST(DropReasonsTest, NamesAreTheKernelsWithoutTheirPrefix) {
  const DropReasons reasons({"SKB_NOT_DROPPED_YET", "SKB_CONSUMED", "SKB_DROP_REASON_NOT_SPECIFIED",
                             "SKB_DROP_REASON_NO_SOCKET", ""},
                            {"SKB_DROP_REASON_SUBSYS_CORE", "SKB_DROP_REASON_SUBSYS_OPENVSWITCH"});
  EXPECT_EQ(reasons.NameOf(3), "no_socket");
  EXPECT_EQ(reasons.NameOf(2), "not_specified");
  EXPECT_EQ(reasons.NameOf(4), "unknown");
  EXPECT_EQ(reasons.NameOf(99), "unknown");
  EXPECT_EQ(reasons.NameOf(1u << 16 | 5), "openvswitch");
  EXPECT_EQ(reasons.NameOf(7u << 16 | 3), "unknown");
  EXPECT_EQ(reasons.NameOf(UINT32_MAX), "unknown");
  EXPECT_EQ(reasons.NumberOf("no_socket"), 3);
  EXPECT_EQ(reasons.NumberOf("tcp_csum"), 0);
  EXPECT_EQ(reasons.PurgeNumber(), 2);
}

TEST(DropReasonsTest, AKernelThatGivesNone) {
  const DropReasons reasons({}, {});
  EXPECT_EQ(reasons.NameOf(0), "not_specified");
  EXPECT_EQ(reasons.NameOf(3), "unknown");
}

}  // namespace
}  // namespace kindling::agent
