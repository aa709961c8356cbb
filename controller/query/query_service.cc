#include "controller/query/query_service.h"

#include <chrono>
#include <cstdint>
#include <vector>

#include "base/rpc_status.h"
#include "controller/query/dns_queries.h"
#include "controller/query/drop_queries.h"
#include "controller/query/edge_queries.h"
#include "controller/query/endpoint_queries.h"
#include "controller/query/host_queries.h"
#include "controller/query/interface_queries.h"
#include "controller/query/label_queries.h"
#include "controller/query/metric_queries.h"
#include "controller/query/nat_queries.h"
#include "controller/query/span_queries.h"
#include "controller/query/tcp_queries.h"
#include "controller/query/trace_queries.h"
#include "kindling/v1/query.grpc.pb.h"

namespace kindling::controller {

namespace {

enum class Rpc : uint8_t {
  kListServices,
  kListEdges,
  kListSpans,
  kGetSpan,
  kListAgents,
  kListProcesses,
  kGetServerInfo,
  kGetTrace,
  kListEndpoints,
  kListLabelValues,
  kListSeries,
  kQueryRange,
  kListTcp,
  kListDrops,
  kListInterfaces,
  kListNat,
  kListDns,
};
// In the order of Rpc.
constexpr const char* kRpcNames[] = {
    "ListServices",  "ListEdges",     "ListSpans", "GetSpan",       "ListAgents",
    "ListProcesses", "GetServerInfo", "GetTrace",  "ListEndpoints", "ListLabelValues",
    "ListSeries",    "QueryRange",    "ListTcp",   "ListDrops",     "ListInterfaces",
    "ListNat",       "ListDns"};

// Whether a question is still wanted, looked up now and then: gRPC goes through the call's queue
// each time, which takes longer than many a row.
//
// Threads: one at a time.
class CancelCheck {
 public:
  explicit CancelCheck(const grpc::ServerContext& context) : context_(&context) {}

  bool operator()() {
    const auto now = std::chrono::steady_clock::now();
    if (is_cancelled_ || now < next_) return is_cancelled_;
    next_ = now + kInterval;
    is_cancelled_ = context_->IsCancelled();
    return is_cancelled_;
  }

 private:
  static constexpr std::chrono::milliseconds kInterval{5};

  const grpc::ServerContext* context_;
  std::chrono::steady_clock::time_point next_;
  bool is_cancelled_ = false;
};

}  // namespace

class QueryService::Impl final : public v1::QueryService::Service {
 public:
  Impl(QuerySources sources, const Access& access, base::Metrics& metrics)
      : sources_(sources), access_(access) {
    for (const char* rpc : kRpcNames) {
      durations_.push_back(&metrics.AddHistogram(
          "kindling_controller_query_duration_seconds", "Time that questions took.",
          {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10},
          {{"rpc", rpc}}));
    }
  }

  grpc::Status ListServices(grpc::ServerContext* context, const v1::ListServicesRequest* request,
                            v1::ListServicesResponse* response) override {
    return Answer(context, Rpc::kListServices, [&](const QueryContext& query) {
      return controller::ListServices(query, *request, response);
    });
  }
  grpc::Status ListEdges(grpc::ServerContext* context, const v1::ListEdgesRequest* request,
                         v1::ListEdgesResponse* response) override {
    return Answer(context, Rpc::kListEdges, [&](const QueryContext& query) {
      return controller::ListEdges(query, *request, response);
    });
  }
  grpc::Status ListSpans(grpc::ServerContext* context, const v1::ListSpansRequest* request,
                         v1::ListSpansResponse* response) override {
    return Answer(context, Rpc::kListSpans, [&](const QueryContext& query) {
      return controller::ListSpans(query, *request, response);
    });
  }
  grpc::Status GetSpan(grpc::ServerContext* context, const v1::GetSpanRequest* request,
                       v1::GetSpanResponse* response) override {
    return Answer(context, Rpc::kGetSpan, [&](const QueryContext& query) {
      return controller::GetSpan(query, *request, response);
    });
  }
  grpc::Status ListAgents(grpc::ServerContext* context, const v1::ListAgentsRequest*,
                          v1::ListAgentsResponse* response) override {
    return Answer(context, Rpc::kListAgents, [&](const QueryContext& query) {
      return controller::ListAgents(query, response);
    });
  }
  grpc::Status ListProcesses(grpc::ServerContext* context, const v1::ListProcessesRequest* request,
                             v1::ListProcessesResponse* response) override {
    return Answer(context, Rpc::kListProcesses, [&](const QueryContext& query) {
      return controller::ListProcesses(query, *request, response);
    });
  }
  grpc::Status GetServerInfo(grpc::ServerContext* context, const v1::GetServerInfoRequest*,
                             v1::GetServerInfoResponse* response) override {
    return Answer(context, Rpc::kGetServerInfo, [&](const QueryContext& query) {
      return controller::GetServerInfo(query, response);
    });
  }
  grpc::Status GetTrace(grpc::ServerContext* context, const v1::GetTraceRequest* request,
                        v1::GetTraceResponse* response) override {
    return Answer(context, Rpc::kGetTrace, [&](const QueryContext& query) {
      return controller::GetTrace(query, *request, response);
    });
  }
  grpc::Status ListEndpoints(grpc::ServerContext* context, const v1::ListEndpointsRequest* request,
                             v1::ListEndpointsResponse* response) override {
    return Answer(context, Rpc::kListEndpoints, [&](const QueryContext& query) {
      return controller::ListEndpoints(query, *request, response);
    });
  }
  grpc::Status ListLabelValues(grpc::ServerContext* context,
                               const v1::ListLabelValuesRequest* request,
                               v1::ListLabelValuesResponse* response) override {
    return Answer(context, Rpc::kListLabelValues, [&](const QueryContext& query) {
      return controller::ListLabelValues(query, *request, response);
    });
  }
  grpc::Status ListSeries(grpc::ServerContext* context, const v1::ListSeriesRequest* request,
                          v1::ListSeriesResponse* response) override {
    return Answer(context, Rpc::kListSeries, [&](const QueryContext& query) {
      return controller::ListSeries(query, *request, response);
    });
  }
  grpc::Status QueryRange(grpc::ServerContext* context, const v1::QueryRangeRequest* request,
                          grpc::ServerWriter<v1::QueryRangeResponse>* writer) override {
    return Answer(context, Rpc::kQueryRange, [&](const QueryContext& query) {
      return controller::QueryRange(
          query, *request,
          [writer](const v1::QueryRangeResponse& response) { return writer->Write(response); });
    });
  }

  grpc::Status ListDrops(grpc::ServerContext* context, const v1::ListDropsRequest* request,
                         v1::ListDropsResponse* response) override {
    return Answer(context, Rpc::kListDrops, [&](const QueryContext& query) {
      return controller::ListDrops(query, *request, response);
    });
  }

  grpc::Status ListTcp(grpc::ServerContext* context, const v1::ListTcpRequest* request,
                       v1::ListTcpResponse* response) override {
    return Answer(context, Rpc::kListTcp, [&](const QueryContext& query) {
      return controller::ListTcp(query, *request, response);
    });
  }

  grpc::Status ListDns(grpc::ServerContext* context, const v1::ListDnsRequest* request,
                       v1::ListDnsResponse* response) override {
    return Answer(context, Rpc::kListDns, [&](const QueryContext& query) {
      return controller::ListDns(query, *request, response);
    });
  }

  grpc::Status ListInterfaces(grpc::ServerContext* context,
                              const v1::ListInterfacesRequest* request,
                              v1::ListInterfacesResponse* response) override {
    return Answer(context, Rpc::kListInterfaces, [&](const QueryContext& query) {
      return controller::ListInterfaces(query, *request, response);
    });
  }

  grpc::Status ListNat(grpc::ServerContext* context, const v1::ListNatRequest* request,
                       v1::ListNatResponse* response) override {
    return Answer(context, Rpc::kListNat, [&](const QueryContext& query) {
      return controller::ListNat(query, *request, response);
    });
  }

 private:
  template <typename Make>
  grpc::Status Answer(grpc::ServerContext* context, Rpc rpc, Make make) const {
    const int64_t started_ns = sources_.clock.BootNs();
    absl::StatusOr<Caller> caller = access_.Admit(*context);
    if (!caller.ok()) return base::ToRpcStatus(caller.status());
    const QueryContext query{
        .sources = sources_, .caller = *std::move(caller), .cancelled = CancelCheck(*context)};
    const absl::Status status = make(query);
    durations_[static_cast<size_t>(rpc)]->Observe(
        static_cast<double>(sources_.clock.BootNs() - started_ns) / 1e9);
    return base::ToRpcStatus(status);
  }

  const QuerySources sources_;
  const Access& access_;
  std::vector<base::Histogram*> durations_;  // by Rpc; the metrics'
};

QueryService::QueryService(QuerySources sources, const Access& access, base::Metrics& metrics)
    : impl_(std::make_unique<Impl>(sources, access, metrics)) {}
QueryService::~QueryService() = default;

grpc::Service* QueryService::service() { return impl_.get(); }

}  // namespace kindling::controller
