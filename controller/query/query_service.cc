#include "controller/query/query_service.h"

#include "base/rpc_status.h"
#include "controller/query/edge_queries.h"
#include "controller/query/host_queries.h"
#include "controller/query/span_queries.h"
#include "kindling/v1/query.grpc.pb.h"

namespace kindling::controller {

class QueryService::Impl final : public v1::QueryService::Service {
 public:
  Impl(QuerySources sources, const Access& access) : sources_(sources), access_(access) {}

  grpc::Status ListServices(grpc::ServerContext* context, const v1::ListServicesRequest* request,
                            v1::ListServicesResponse* response) override {
    return Answer(context, [&](const QueryContext& query) {
      return controller::ListServices(query, *request, response);
    });
  }
  grpc::Status ListEdges(grpc::ServerContext* context, const v1::ListEdgesRequest* request,
                         v1::ListEdgesResponse* response) override {
    return Answer(context, [&](const QueryContext& query) {
      return controller::ListEdges(query, *request, response);
    });
  }
  grpc::Status ListSpans(grpc::ServerContext* context, const v1::ListSpansRequest* request,
                         v1::ListSpansResponse* response) override {
    return Answer(context, [&](const QueryContext& query) {
      return controller::ListSpans(query, *request, response);
    });
  }
  grpc::Status GetSpan(grpc::ServerContext* context, const v1::GetSpanRequest* request,
                       v1::GetSpanResponse* response) override {
    return Answer(context, [&](const QueryContext& query) {
      return controller::GetSpan(query, *request, response);
    });
  }
  grpc::Status ListAgents(grpc::ServerContext* context, const v1::ListAgentsRequest*,
                          v1::ListAgentsResponse* response) override {
    return Answer(context, [&](const QueryContext& query) {
      return controller::ListAgents(query, response);
    });
  }
  grpc::Status ListProcesses(grpc::ServerContext* context, const v1::ListProcessesRequest* request,
                             v1::ListProcessesResponse* response) override {
    return Answer(context, [&](const QueryContext& query) {
      return controller::ListProcesses(query, *request, response);
    });
  }
  grpc::Status GetServerInfo(grpc::ServerContext* context, const v1::GetServerInfoRequest*,
                             v1::GetServerInfoResponse* response) override {
    return Answer(context, [&](const QueryContext& query) {
      return controller::GetServerInfo(query, response);
    });
  }

 private:
  template <typename Make>
  grpc::Status Answer(grpc::ServerContext* context, Make make) const {
    absl::StatusOr<Caller> caller = access_.Admit(*context);
    if (!caller.ok()) return base::ToRpcStatus(caller.status());
    const QueryContext query{.sources = sources_,
                             .caller = *std::move(caller),
                             .cancelled = [context] { return context->IsCancelled(); }};
    return base::ToRpcStatus(make(query));
  }

  const QuerySources sources_;
  const Access& access_;
};

QueryService::QueryService(QuerySources sources, const Access& access)
    : impl_(std::make_unique<Impl>(sources, access)) {}
QueryService::~QueryService() = default;

grpc::Service* QueryService::service() { return impl_.get(); }

}  // namespace kindling::controller
