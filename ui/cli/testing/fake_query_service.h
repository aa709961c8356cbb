#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "kindling/v1/query.grpc.pb.h"

namespace kindling::ui {

// A query service in this process that gives the answers it was told to, and remembers what it was
// asked. Listens on a free port of 127.0.0.1.
//
// Threads: answers are set before the first question; questions come from gRPC's threads.
class FakeQueryService final : public v1::QueryService::Service {
 public:
  explicit FakeQueryService(
      std::shared_ptr<grpc::ServerCredentials> credentials = grpc::InsecureServerCredentials());
  ~FakeQueryService() override;

  std::string address() const { return address_; }
  // Every call fails with this from now on.
  void FailWith(grpc::Status status) { failure_ = std::move(status); }

  v1::ListServicesResponse services;
  v1::ListEdgesResponse edges;
  std::vector<v1::ListSpansResponse> span_pages;  // page_token is the index of the page
  v1::GetSpanResponse span;
  v1::ListAgentsResponse agents;
  v1::ListProcessesResponse processes;
  v1::GetServerInfoResponse info;
  v1::GetTraceResponse trace;
  v1::ListEndpointsResponse endpoints;
  v1::ListTcpResponse tcp;
  v1::ListDnsResponse dns;
  v1::ListDropsResponse drops;
  v1::ListInterfacesResponse interfaces;
  v1::ListNatResponse nat;
  v1::ListLabelValuesResponse values;
  v1::ListSeriesResponse series;
  std::vector<v1::QueryRangeResponse> range;

  // The requests as short text format, in order, with their message's name.
  std::vector<std::string> questions() const;
  v1::ListEdgesRequest last_edges_request() const;

 private:
  template <typename Request, typename Response>
  grpc::Status Answer(const Request* request, const Response& canned, Response* response);

  grpc::Status ListServices(grpc::ServerContext*, const v1::ListServicesRequest* request,
                            v1::ListServicesResponse* response) override;
  grpc::Status ListEdges(grpc::ServerContext*, const v1::ListEdgesRequest* request,
                         v1::ListEdgesResponse* response) override;
  grpc::Status ListSpans(grpc::ServerContext*, const v1::ListSpansRequest* request,
                         v1::ListSpansResponse* response) override;
  grpc::Status GetSpan(grpc::ServerContext*, const v1::GetSpanRequest* request,
                       v1::GetSpanResponse* response) override;
  grpc::Status ListAgents(grpc::ServerContext*, const v1::ListAgentsRequest* request,
                          v1::ListAgentsResponse* response) override;
  grpc::Status ListProcesses(grpc::ServerContext*, const v1::ListProcessesRequest* request,
                             v1::ListProcessesResponse* response) override;
  grpc::Status GetServerInfo(grpc::ServerContext*, const v1::GetServerInfoRequest* request,
                             v1::GetServerInfoResponse* response) override;
  grpc::Status GetTrace(grpc::ServerContext*, const v1::GetTraceRequest* request,
                        v1::GetTraceResponse* response) override;
  grpc::Status ListEndpoints(grpc::ServerContext*, const v1::ListEndpointsRequest* request,
                             v1::ListEndpointsResponse* response) override;
  grpc::Status ListInterfaces(grpc::ServerContext*, const v1::ListInterfacesRequest* request,
                              v1::ListInterfacesResponse* response) override;
  grpc::Status ListNat(grpc::ServerContext*, const v1::ListNatRequest* request,
                       v1::ListNatResponse* response) override;
  grpc::Status ListDrops(grpc::ServerContext*, const v1::ListDropsRequest* request,
                         v1::ListDropsResponse* response) override;
  grpc::Status ListTcp(grpc::ServerContext*, const v1::ListTcpRequest* request,
                       v1::ListTcpResponse* response) override;
  grpc::Status ListDns(grpc::ServerContext*, const v1::ListDnsRequest* request,
                       v1::ListDnsResponse* response) override;
  grpc::Status ListLabelValues(grpc::ServerContext*, const v1::ListLabelValuesRequest* request,
                               v1::ListLabelValuesResponse* response) override;
  grpc::Status ListSeries(grpc::ServerContext*, const v1::ListSeriesRequest* request,
                          v1::ListSeriesResponse* response) override;
  grpc::Status QueryRange(grpc::ServerContext*, const v1::QueryRangeRequest* request,
                          grpc::ServerWriter<v1::QueryRangeResponse>* writer) override;

  grpc::Status failure_;
  mutable absl::Mutex mu_;
  std::vector<std::string> questions_ ABSL_GUARDED_BY(mu_);
  v1::ListEdgesRequest last_edges_request_ ABSL_GUARDED_BY(mu_);
  std::string address_;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace kindling::ui
