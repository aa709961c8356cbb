#pragma once

#include <vector>

#include "agent/tasks/task.h"
#include "kindling/config/v1/agent.pb.h"

namespace kindling::agent {

// What this agent does for operators, as far as its configuration allows it.
std::vector<TaskKind> TaskKindsOf(const config::v1::AgentConfig& config);

}  // namespace kindling::agent
