#include "controller/tasks/connected_agents.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_format.h"

namespace kindling::controller {

absl::StatusOr<std::vector<AgentInfo>> ConnectedAgents(const AgentRegistry& registry,
                                                       const std::vector<std::string>& hosts) {
  std::vector<AgentInfo> agents = registry.List();
  std::erase_if(agents, [&](const AgentInfo& agent) {
    return !agent.connected || agent.replay ||
           (!hosts.empty() && std::ranges::count(hosts, agent.host) == 0);
  });
  for (const std::string& host : hosts) {
    if (std::ranges::count(agents, host, &AgentInfo::host) == 0) {
      return absl::FailedPreconditionError(
          absl::StrFormat("no agent of host \"%s\" is connected", host));
    }
  }
  if (agents.empty()) return absl::FailedPreconditionError("no agent is connected");
  return agents;
}

std::vector<TaskHub::Assignment> AssignToAll(const std::vector<AgentInfo>& agents,
                                             const google::protobuf::Message& task) {
  google::protobuf::Any packed;
  packed.PackFrom(task);
  std::vector<TaskHub::Assignment> assignments;
  for (const AgentInfo& agent : agents) assignments.push_back({agent.id, packed});
  return assignments;
}

}  // namespace kindling::controller
