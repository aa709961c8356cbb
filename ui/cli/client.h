#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace kindling::v1 {
class BackupStoreRequest;
class BackupStoreResponse;
class CapturePacketsRequest;
class CapturePacketsResponse;
class CompactStoreRequest;
class CompactStoreResponse;
class GetServerInfoRequest;
class GetServerInfoResponse;
class GetSpanRequest;
class GetSpanResponse;
class GetStoreStatusRequest;
class GetStoreStatusResponse;
class ListConnectionsRequest;
class ListConnectionsResponse;
class ListAgentsRequest;
class ListAgentsResponse;
class GetTraceRequest;
class GetTraceResponse;
class ListDnsRequest;
class ListDnsResponse;
class ListDropsRequest;
class ListDropsResponse;
class ListEdgesRequest;
class ListEdgesResponse;
class ListEndpointsRequest;
class ListEndpointsResponse;
class ListInterfacesRequest;
class ListInterfacesResponse;
class ListLabelValuesRequest;
class ListLabelValuesResponse;
class ListNatRequest;
class ListNatResponse;
class ListProcessesRequest;
class ListProcessesResponse;
class ListSeriesRequest;
class ListSeriesResponse;
class ListServicesRequest;
class ListServicesResponse;
class ListSpansRequest;
class ListSpansResponse;
class ListTcpRequest;
class ListTcpResponse;
class QueryRangeRequest;
class QueryRangeResponse;
class TraceRulesRequest;
class TraceRulesResponse;
class TracePathRequest;
class TracePathResponse;
class VerifyStoreRequest;
class VerifyStoreResponse;
}  // namespace kindling::v1

namespace kindling::ui {

inline constexpr int kDefaultControllerPort = 7420;

struct ClientOptions {
  std::string address = "127.0.0.1:7420";      // host or host:port
  std::string ca_file;                         // PEM; not empty: TLS
  bool insecure = false;                       // clear text to an address that is not loopback
  absl::Duration timeout = absl::Seconds(10);  // of one call
};

// A capture of packets that goes on.
//
// Threads: one, but for Stop().
// Lifetime: the client's at most.
class PacketStream {
 public:
  virtual ~PacketStream() = default;
  // Waits for the next part of the answer; false: there is none any more.
  virtual bool Next(v1::CapturePacketsResponse* response) = 0;
  // Asks for the end: what there is still comes.
  virtual void Stop() = 0;
  // How it ended. Call once, after Next() was false.
  virtual absl::Status Finish() = 0;
};

// Asks a controller.
//
// Failure: every method's status is one sentence that says what to do: Unavailable when nothing
//          answers, DeadlineExceeded, Unimplemented when the server does not know the question;
//          what the controller itself refuses keeps its code and words.
// Limits:  answers up to 256 MiB.
class Client {
 public:
  // InvalidArgument for an address that is none, and for one that is not loopback without TLS.
  // Does not connect yet.
  static absl::StatusOr<std::unique_ptr<Client>> Create(const ClientOptions& options);
  ~Client();

  absl::Status Call(const v1::ListServicesRequest& request, v1::ListServicesResponse* response);
  absl::Status Call(const v1::ListEdgesRequest& request, v1::ListEdgesResponse* response);
  absl::Status Call(const v1::ListSpansRequest& request, v1::ListSpansResponse* response);
  absl::Status Call(const v1::GetSpanRequest& request, v1::GetSpanResponse* response);
  absl::Status Call(const v1::ListAgentsRequest& request, v1::ListAgentsResponse* response);
  absl::Status Call(const v1::ListProcessesRequest& request, v1::ListProcessesResponse* response);
  absl::Status Call(const v1::GetServerInfoRequest& request, v1::GetServerInfoResponse* response);

  absl::Status Call(const v1::GetTraceRequest& request, v1::GetTraceResponse* response);
  absl::Status Call(const v1::ListEndpointsRequest& request, v1::ListEndpointsResponse* response);
  absl::Status Call(const v1::ListTcpRequest& request, v1::ListTcpResponse* response);
  absl::Status Call(const v1::ListDnsRequest& request, v1::ListDnsResponse* response);
  absl::Status Call(const v1::ListDropsRequest& request, v1::ListDropsResponse* response);
  absl::Status Call(const v1::ListConnectionsRequest& request,
                    v1::ListConnectionsResponse* response);
  absl::Status Call(const v1::ListNatRequest& request, v1::ListNatResponse* response);
  absl::Status Call(const v1::ListInterfacesRequest& request, v1::ListInterfacesResponse* response);
  absl::Status Call(const v1::ListLabelValuesRequest& request,
                    v1::ListLabelValuesResponse* response);
  absl::Status Call(const v1::ListSeriesRequest& request, v1::ListSeriesResponse* response);
  // Calls `visit` with each part of the answer; the first error of its ends the call.
  using RangeVisitor = std::function<absl::Status(const v1::QueryRangeResponse&)>;
  absl::Status Call(const v1::QueryRangeRequest& request, const RangeVisitor& visit);
  // The same; ends with the trace, which may take longer than the timeout of a question.
  using RulesVisitor = std::function<absl::Status(const v1::TraceRulesResponse&)>;
  absl::Status Call(const v1::TraceRulesRequest& request, const RulesVisitor& visit);
  // The same, part by part as they come; the timeout counts from when the trace should be over.
  using PathVisitor = std::function<absl::Status(const v1::TracePathResponse&)>;
  absl::Status Call(const v1::TracePathRequest& request, const PathVisitor& visit);
  absl::Status Call(const v1::GetStoreStatusRequest& request, v1::GetStoreStatusResponse* response);
  absl::Status Call(const v1::CompactStoreRequest& request, v1::CompactStoreResponse* response);
  absl::Status Call(const v1::BackupStoreRequest& request, v1::BackupStoreResponse* response);
  absl::Status Call(const v1::VerifyStoreRequest& request, v1::VerifyStoreResponse* response);

  // Of `duration`; the time-out is for what comes besides.
  std::unique_ptr<PacketStream> CapturePackets(const v1::CapturePacketsRequest& request,
                                               absl::Duration duration);

  const std::string& address() const;

 private:
  struct Rep;
  explicit Client(std::unique_ptr<Rep> rep);

  std::unique_ptr<Rep> rep_;
};

}  // namespace kindling::ui
