#include "agent/config.h"

#include <gtest/gtest.h>

#include "base/testing/status_matchers.h"

namespace kindling::agent {
namespace {

TEST(AgentConfig, DefaultsAreFilledIn) {
  const auto config = ParseAgentConfig("scope: {pids: [1234]}", "agent.yaml", true);
  ASSERT_OK(config);
  EXPECT_EQ(config->controller().address(), "127.0.0.1:7420");
  EXPECT_EQ(config->window_s(), 10u);
  EXPECT_EQ(config->capture().data_ring_bytes(), 16u << 20);
  EXPECT_FALSE(config->agent_id().empty());
  EXPECT_EQ(DescribeScope(config->scope()), "1 process tree");
}

TEST(AgentConfig, NoScopeSaysHowToWriteOne) {
  const auto config = ParseAgentConfig("host: a", "agent.yaml", true);
  ASSERT_FALSE(config.ok());
  EXPECT_NE(config.status().message().find("network_namespaces: [/run/netns/NAME]"),
            absl::string_view::npos);
  EXPECT_OK(ParseAgentConfig("host: a", "agent.yaml", false));
}

TEST(AgentConfig, AllFaultsAtOnceWithTheirLines) {
  const auto config = ParseAgentConfig(
      "scope: {host: true}\nwindow_s: 99\ncapture:\n  hook: kprobe\n  data_ring_bytes: 5000\n"
      "slow_ms: {gopher: 5}\n",
      "agent.yaml", true);
  ASSERT_FALSE(config.ok());
  const std::string message(config.status().message());
  EXPECT_NE(message.find("agent.yaml:2"), std::string::npos) << message;
  EXPECT_NE(message.find("agent.yaml:4"), std::string::npos) << message;
  EXPECT_NE(message.find("agent.yaml:5"), std::string::npos) << message;
  EXPECT_NE(message.find("gopher"), std::string::npos) << message;
}

TEST(AgentConfig, DescribesMixedScopes) {
  config::v1::Scope scope;
  scope.add_cgroups("/a");
  scope.add_cgroups("/b");
  scope.add_network_namespaces("/n");
  EXPECT_EQ(DescribeScope(scope), "1 network namespace, 2 cgroups");
}

TEST(AgentConfig, TasksThatCanBeDisabled) {
  EXPECT_OK(ParseAgentConfig("scope: {host: true}\nnetwork: {disable: [interfaces, conntrack]}",
                             "c", true));
  EXPECT_FALSE(ParseAgentConfig("scope: {host: true}\nnetwork: {disable: [nat]}", "c", true).ok());
  EXPECT_OK(ParseAgentConfig("scope: {host: true}\ntasks: {disable: [packet_capture, path_trace]}",
                             "c", /*needs_scope=*/true));
  EXPECT_FALSE(
      ParseAgentConfig("scope: {host: true}\ntasks: {disable: [everything]}", "c", true).ok());
}

}  // namespace
}  // namespace kindling::agent
