#include "base/version.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/testing/status_matchers.h"

namespace kindling::base {
namespace {

using ::testing::HasSubstr;

TEST(Version, AgentsTwoBehindToOneAheadWork) {
  for (const uint32_t agent : {3u, 4u, 5u, 6u}) EXPECT_OK(CheckIngestVersions(agent, 5)) << agent;
  EXPECT_OK(CheckIngestVersions(kIngestProtocolVersion, kIngestProtocolVersion));
}

TEST(Version, NamesWhichToUpgrade) {
  const absl::Status old_agent = CheckIngestVersions(2, 5);
  EXPECT_EQ(old_agent.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(old_agent.message()), HasSubstr("upgrade the agent"));
  const absl::Status old_controller = CheckIngestVersions(7, 5);
  EXPECT_THAT(std::string(old_controller.message()), HasSubstr("upgrade the controller"));
}

TEST(Version, HostileValuesAreRefused) {
  EXPECT_FALSE(CheckIngestVersions(0, 1).ok());
  EXPECT_FALSE(CheckIngestVersions(1, 0).ok());
  EXPECT_FALSE(CheckIngestVersions(UINT32_MAX, 1).ok());
  EXPECT_FALSE(CheckIngestVersions(1, UINT32_MAX).ok());
}

}  // namespace
}  // namespace kindling::base
