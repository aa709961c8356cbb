#pragma once

#include <memory>

#include "controller/access/caller.h"
#include "controller/tasks/task_hub.h"

namespace grpc {
class Service;
}

namespace kindling::controller {

// TaskService: the agents' side of a hub, without a thread for each.
//
// Threads:  gRPC's.
// Lifetime: what is given to the constructor must outlive this; this must outlive the gRPC server.
class TaskService {
 public:
  TaskService(TaskHub& hub, const Access& access);
  ~TaskService();

  // To be registered with the server's builder.
  grpc::Service* service();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace kindling::controller
