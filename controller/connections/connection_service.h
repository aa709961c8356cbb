#pragma once

#include <memory>

#include "controller/access/caller.h"
#include "controller/query/query_context.h"
#include "controller/tasks/task_hub.h"

namespace grpc {
class Service;
}

namespace kindling::controller {

// ConnectionService: asks the agents, and names what they know by address as edges are named.
//
// Threads:  gRPC's, one for each question.
// Lifetime: what is given to it must outlive this; this must outlive the gRPC server.
// Limits:   an agent that has not answered within kAnswerWithin is left out, and said to be.
class ConnectionService {
 public:
  static constexpr absl::Duration kAnswerWithin = absl::Seconds(5);

  ConnectionService(QuerySources sources, TaskHub& tasks, const Access& access);
  ~ConnectionService();

  // To be registered with the server's builder.
  grpc::Service* service();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace kindling::controller
