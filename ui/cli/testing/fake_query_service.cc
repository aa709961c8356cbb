#include "ui/cli/testing/fake_query_service.h"

#include <cstdlib>
#include <utility>

namespace kindling::ui {

FakeQueryService::FakeQueryService(std::shared_ptr<grpc::ServerCredentials> credentials) {
  int port = 0;
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:0", std::move(credentials), &port);
  builder.RegisterService(this);
  server_ = builder.BuildAndStart();
  if (server_ == nullptr) std::abort();
  address_ = "127.0.0.1:" + std::to_string(port);
}

FakeQueryService::~FakeQueryService() {
  server_->Shutdown();
  server_->Wait();
}

std::vector<std::string> FakeQueryService::questions() const {
  absl::MutexLock lock(&mu_);
  return questions_;
}

v1::ListEdgesRequest FakeQueryService::last_edges_request() const {
  absl::MutexLock lock(&mu_);
  return last_edges_request_;
}

template <typename Request, typename Response>
grpc::Status FakeQueryService::Answer(const Request* request, const Response& canned,
                                      Response* response) {
  absl::MutexLock lock(&mu_);
  questions_.push_back(request->GetDescriptor()->name() + " " + request->ShortDebugString());
  if (!failure_.ok()) return failure_;
  *response = canned;
  return grpc::Status::OK;
}

grpc::Status FakeQueryService::ListServices(grpc::ServerContext*,
                                            const v1::ListServicesRequest* request,
                                            v1::ListServicesResponse* response) {
  return Answer(request, services, response);
}

grpc::Status FakeQueryService::ListEdges(grpc::ServerContext*, const v1::ListEdgesRequest* request,
                                         v1::ListEdgesResponse* response) {
  {
    absl::MutexLock lock(&mu_);
    last_edges_request_ = *request;
  }
  return Answer(request, edges, response);
}

grpc::Status FakeQueryService::ListSpans(grpc::ServerContext*, const v1::ListSpansRequest* request,
                                         v1::ListSpansResponse* response) {
  const size_t page =
      request->page_token().empty() ? 0 : static_cast<size_t>(std::stoi(request->page_token()));
  if (page >= span_pages.size()) return Answer(request, v1::ListSpansResponse(), response);
  return Answer(request, span_pages[page], response);
}

grpc::Status FakeQueryService::GetSpan(grpc::ServerContext*, const v1::GetSpanRequest* request,
                                       v1::GetSpanResponse* response) {
  return Answer(request, span, response);
}

grpc::Status FakeQueryService::ListAgents(grpc::ServerContext*,
                                          const v1::ListAgentsRequest* request,
                                          v1::ListAgentsResponse* response) {
  return Answer(request, agents, response);
}

grpc::Status FakeQueryService::ListProcesses(grpc::ServerContext*,
                                             const v1::ListProcessesRequest* request,
                                             v1::ListProcessesResponse* response) {
  return Answer(request, processes, response);
}

grpc::Status FakeQueryService::GetServerInfo(grpc::ServerContext*,
                                             const v1::GetServerInfoRequest* request,
                                             v1::GetServerInfoResponse* response) {
  return Answer(request, info, response);
}

grpc::Status FakeQueryService::GetTrace(grpc::ServerContext*, const v1::GetTraceRequest* request,
                                        v1::GetTraceResponse* response) {
  return Answer(request, trace, response);
}

grpc::Status FakeQueryService::ListEndpoints(grpc::ServerContext*,
                                             const v1::ListEndpointsRequest* request,
                                             v1::ListEndpointsResponse* response) {
  return Answer(request, endpoints, response);
}

grpc::Status FakeQueryService::ListInterfaces(grpc::ServerContext*,
                                              const v1::ListInterfacesRequest* request,
                                              v1::ListInterfacesResponse* response) {
  return Answer(request, interfaces, response);
}

grpc::Status FakeQueryService::ListNat(grpc::ServerContext*, const v1::ListNatRequest* request,
                                       v1::ListNatResponse* response) {
  return Answer(request, nat, response);
}

grpc::Status FakeQueryService::ListDrops(grpc::ServerContext*, const v1::ListDropsRequest* request,
                                         v1::ListDropsResponse* response) {
  return Answer(request, drops, response);
}

grpc::Status FakeQueryService::ListTcp(grpc::ServerContext*, const v1::ListTcpRequest* request,
                                       v1::ListTcpResponse* response) {
  return Answer(request, tcp, response);
}

grpc::Status FakeQueryService::ListDns(grpc::ServerContext*, const v1::ListDnsRequest* request,
                                       v1::ListDnsResponse* response) {
  return Answer(request, dns, response);
}

grpc::Status FakeQueryService::ListLabelValues(grpc::ServerContext*,
                                               const v1::ListLabelValuesRequest* request,
                                               v1::ListLabelValuesResponse* response) {
  return Answer(request, values, response);
}

grpc::Status FakeQueryService::ListSeries(grpc::ServerContext*,
                                          const v1::ListSeriesRequest* request,
                                          v1::ListSeriesResponse* response) {
  return Answer(request, series, response);
}

grpc::Status FakeQueryService::QueryRange(grpc::ServerContext*,
                                          const v1::QueryRangeRequest* request,
                                          grpc::ServerWriter<v1::QueryRangeResponse>* writer) {
  v1::QueryRangeResponse ignored;
  for (const v1::QueryRangeResponse& part : range) writer->Write(part);
  return Answer(request, ignored, &ignored);
}

}  // namespace kindling::ui
