#pragma once

#include <string>
#include <vector>

#include "agent/kernel/kernel_scope.h"
#include "agent/tasks/task.h"
#include "kindling/v1/paths.pb.h"
#include "model/packet_path.h"

namespace kindling::agent {

// Follows the packets of a flow while an operator watches. What the task does not say is as here.
struct PathTaskOptions {
  ScopeOptions scope;
  std::vector<std::string> disable;  // rows of the attach table
  std::string node;
};
TaskKind PathTaskKind(PathTaskOptions options);

// As it is sent.
v1::TracedHop ToProto(const model::PathHop& hop);

}  // namespace kindling::agent
