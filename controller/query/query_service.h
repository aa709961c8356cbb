#pragma once

#include <memory>

#include "base/metrics.h"
#include "controller/access/caller.h"
#include "controller/query/query_context.h"

namespace grpc {
class Service;
}

namespace kindling::controller {

// QueryService on gRPC: who asks, whether it may, and what the answer's status is; the answers are
// made in *_queries.cc.
//
// Threads:  gRPC's, one for each question under way.
// Lifetime: what is given to it must outlive this; this must outlive the gRPC server.
class QueryService {
 public:
  // Tells `metrics` how long questions take.
  QueryService(QuerySources sources, const Access& access, base::Metrics& metrics);
  ~QueryService();

  // To be registered with the server's builder.
  grpc::Service* service();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace kindling::controller
