#pragma once

#include <memory>

#include "controller/access/caller.h"
#include "controller/fleet/agent_registry.h"
#include "controller/tasks/task_hub.h"

namespace grpc {
class Service;
}

namespace kindling::controller {

// FirewallService: has agents trace rules and passes on what they tell.
//
// Threads:  gRPC's, one for each call as long as it lasts.
// Lifetime: what is given to it must outlive this; this must outlive the gRPC server.
class FirewallService {
 public:
  FirewallService(const AgentRegistry& registry, TaskHub& tasks, const Access& access);
  ~FirewallService();

  // To be registered with the server's builder.
  grpc::Service* service();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace kindling::controller
