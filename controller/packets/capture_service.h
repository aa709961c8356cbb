#pragma once

#include <memory>

#include "controller/access/caller.h"
#include "controller/query/query_context.h"
#include "controller/tasks/task_hub.h"

namespace grpc {
class Service;
}

namespace kindling::controller {

// CaptureService on gRPC.
//
// Threads:  gRPC's, and one for each capture.
// Lifetime: what is given to it must outlive this; this must outlive the gRPC server.
class CaptureService {
 public:
  CaptureService(const QuerySources& sources, TaskHub& hub, const Access& access);
  ~CaptureService();

  // To be registered with the server's builder.
  grpc::Service* service();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace kindling::controller
