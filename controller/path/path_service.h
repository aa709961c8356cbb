#pragma once

#include <memory>

#include "controller/access/caller.h"
#include "controller/query/query_context.h"
#include "controller/tasks/task_hub.h"

namespace grpc {
class Service;
}

namespace kindling::controller {

// PathService on gRPC.
//
// Threads:  gRPC's, one for each trace.
// Lifetime: what is given to it must outlive this; this must outlive the gRPC server.
class PathService {
 public:
  PathService(QuerySources sources, TaskHub& hub, const Access& access);
  ~PathService();

  // To be registered with the server's builder.
  grpc::Service* service();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace kindling::controller
