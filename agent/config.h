#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "kindling/config/v1/agent.pb.h"

namespace kindling::agent {

// Reads the agent's configuration, fills in the documented defaults and checks the ranges.
// Failure: every fault in one message with its line. A missing scope is a fault that says how to
// write
//          one, unless `needs_scope` is false (replay, doctor).
absl::StatusOr<config::v1::AgentConfig> LoadAgentConfig(const std::string& path, bool needs_scope);

// The same from text; `name` stands for the path in messages.
absl::StatusOr<config::v1::AgentConfig> ParseAgentConfig(std::string_view text,
                                                         std::string_view name, bool needs_scope);

// "2 network namespaces, 1 pid tree", "host".
std::string DescribeScope(const config::v1::Scope& scope);

}  // namespace kindling::agent
