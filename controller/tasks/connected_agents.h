#pragma once

#include <google/protobuf/message.h>

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "controller/fleet/agent_registry.h"
#include "controller/tasks/task_hub.h"

namespace kindling::controller {

// The agents that are connected now, of these hosts; without any: all. FAILED_PRECONDITION where
// there is none, or none of one of the hosts.
absl::StatusOr<std::vector<AgentInfo>> ConnectedAgents(const AgentRegistry& registry,
                                                       const std::vector<std::string>& hosts);

// The same task for each.
std::vector<TaskHub::Assignment> AssignToAll(const std::vector<AgentInfo>& agents,
                                             const google::protobuf::Message& task);

}  // namespace kindling::controller
