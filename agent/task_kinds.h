#pragma once

#include <functional>
#include <vector>

#include "agent/network/host/scope_namespaces.h"
#include "agent/tasks/task.h"
#include "kindling/config/v1/agent.pb.h"

namespace kindling::agent {

class CaptureRequests;
class CaptureScope;
class KernelSource;
class PacketOwners;
class Pipeline;

// What tasks learn from. Lifetime: longer than the tasks'.
struct TaskSources {
  // The other two belong to the capture thread, and are asked through this.
  CaptureRequests& requests;
  Pipeline& pipeline;
  KernelSource& source;
  std::function<ScopeNamespaces()> find_namespaces;
  const CaptureScope& capture_scope;
  PacketOwners& packet_owners;
};

// What this agent does for operators, as far as its configuration allows it.
std::vector<TaskKind> TaskKindsOf(const config::v1::AgentConfig& config, TaskSources sources);

}  // namespace kindling::agent
