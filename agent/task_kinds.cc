#include "agent/task_kinds.h"

#include <algorithm>

namespace kindling::agent {

std::vector<TaskKind> TaskKindsOf(const config::v1::AgentConfig& config) {
  std::vector<TaskKind> kinds;
  const auto& disabled = config.tasks().disable();
  std::erase_if(kinds, [&](const TaskKind& kind) {
    return std::ranges::any_of(
        disabled, [&](const std::string& word) { return word == "all" || word == kind.word; });
  });
  return kinds;
}

}  // namespace kindling::agent
