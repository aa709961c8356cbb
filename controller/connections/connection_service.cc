#include "controller/connections/connection_service.h"

#include <grpcpp/grpcpp.h>

#include <utility>

#include "base/rpc_status.h"
#include "controller/connections/list_connections.h"
#include "kindling/v1/connections.grpc.pb.h"

namespace kindling::controller {

class ConnectionService::Impl final : public v1::ConnectionService::Service {
 public:
  Impl(QuerySources sources, TaskHub& tasks, const Access& access)
      : sources_(sources), tasks_(tasks), access_(access) {}

  grpc::Status ListConnections(grpc::ServerContext* context,
                               const v1::ListConnectionsRequest* request,
                               v1::ListConnectionsResponse* response) override {
    absl::StatusOr<Caller> caller = access_.Admit(*context);
    if (!caller.ok()) return base::ToRpcStatus(caller.status());
    const QueryContext query{sources_, *std::move(caller),
                             [context] { return context->IsCancelled(); }};
    return base::ToRpcStatus(controller::ListConnections(query, tasks_, absl::Now() + kAnswerWithin,
                                                         *request, response));
  }

 private:
  const QuerySources sources_;
  TaskHub& tasks_;
  const Access& access_;
};

ConnectionService::ConnectionService(QuerySources sources, TaskHub& tasks, const Access& access)
    : impl_(std::make_unique<Impl>(sources, tasks, access)) {}
ConnectionService::~ConnectionService() = default;

grpc::Service* ConnectionService::service() { return impl_.get(); }

}  // namespace kindling::controller
