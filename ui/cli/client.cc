#include "ui/cli/client.h"

#include <arpa/inet.h>
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_format.h"
#include "base/read_file.h"
#include "base/status_macros.h"
#include "base/version.h"
#include "kindling/v1/admin.grpc.pb.h"
#include "kindling/v1/connections.grpc.pb.h"
#include "kindling/v1/firewall.grpc.pb.h"
#include "kindling/v1/packets.grpc.pb.h"
#include "kindling/v1/paths.grpc.pb.h"
#include "kindling/v1/query.grpc.pb.h"
#include "ui/cli/text.h"

namespace kindling::ui {
namespace {

constexpr int kMaxAnswerBytes = 256 << 20;
constexpr size_t kMaxCaBytes = 1 << 20;

struct Endpoint {
  std::string host;
  int port = kDefaultControllerPort;
};

absl::StatusOr<Endpoint> ParseEndpoint(const std::string& address) {
  const absl::Status wrong = absl::InvalidArgumentError(
      absl::StrFormat("\"%s\" is no address of a controller; write host:port, such as 127.0.0.1:%d",
                      address, kDefaultControllerPort));
  Endpoint endpoint;
  std::string port;
  bool has_port = false;
  if (!address.empty() && address[0] == '[') {
    const size_t close = address.find(']');
    if (close == std::string::npos) return wrong;
    endpoint.host = address.substr(1, close - 1);
    has_port = close + 1 < address.size();
    if (has_port && address[close + 1] != ':') return wrong;
    if (has_port) port = address.substr(close + 2);
  } else if (std::count(address.begin(), address.end(), ':') > 1) {
    endpoint.host = address;  // an IPv6 address without a port
  } else {
    const size_t colon = address.find(':');
    endpoint.host = address.substr(0, colon);
    has_port = colon != std::string::npos;
    if (has_port) port = address.substr(colon + 1);
  }
  if (has_port) {
    const auto [end, error] =
        std::from_chars(port.data(), port.data() + port.size(), endpoint.port);
    const bool is_number = error == std::errc() && end == port.data() + port.size();
    if (!is_number || endpoint.port < 1 || endpoint.port > 65535) return wrong;
  }
  if (endpoint.host.empty() || endpoint.host.find_first_of("/ \t") != std::string::npos) {
    return wrong;
  }
  return endpoint;
}

bool IsLoopback(const std::string& host) {
  if (host == "localhost") return true;
  in_addr v4;
  if (inet_pton(AF_INET, host.c_str(), &v4) == 1) return (ntohl(v4.s_addr) >> 24) == 127;
  in6_addr v6;
  return inet_pton(AF_INET6, host.c_str(), &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

std::string Target(const Endpoint& endpoint) {
  const bool is_v6 = endpoint.host.find(':') != std::string::npos;
  const std::string host = is_v6 ? "[" + endpoint.host + "]" : endpoint.host;
  return absl::StrFormat("dns:///%s:%d", host, endpoint.port);
}

}  // namespace

struct Client::Rep {
  std::string address;
  absl::Duration timeout;
  bool uses_tls = false;
  std::unique_ptr<v1::QueryService::Stub> query;
  std::unique_ptr<v1::StoreService::Stub> store;
  std::unique_ptr<v1::ConnectionService::Stub> connections;
  std::unique_ptr<v1::FirewallService::Stub> firewall;
  std::unique_ptr<v1::CaptureService::Stub> capture;
  std::unique_ptr<v1::PathService::Stub> paths;

  // What went wrong, for a person.
  absl::Status Explain(const grpc::Status& status) const {
    if (status.ok()) return absl::OkStatus();
    const std::string said = CleanText(status.error_message());
    const auto code = static_cast<absl::StatusCode>(status.error_code());
    switch (status.error_code()) {
      case grpc::StatusCode::UNAVAILABLE:
        return absl::Status(code, Unavailable(said));
      case grpc::StatusCode::DEADLINE_EXCEEDED:
        return absl::Status(
            code, absl::StrFormat("no answer from %s within %s: is it a kindling-controller? For a "
                                  "long question raise --timeout or narrow --since",
                                  address, absl::FormatDuration(timeout)));
      case grpc::StatusCode::UNIMPLEMENTED:
        return absl::Status(
            code, absl::StrFormat("the server at %s does not know this question: it is no "
                                  "kindling-controller, or an older one than kindlingctl %s; "
                                  "\"kindlingctl version\" shows both",
                                  address, base::kSoftwareVersion));
      case grpc::StatusCode::RESOURCE_EXHAUSTED:
        if (!absl::StrContains(said, "larger than max")) break;
        return absl::Status(code, "the answer is too large: narrow --since or --filter");
      default:
        break;
    }
    if (said.empty()) {
      return absl::Status(
          code, absl::StrFormat("%s answered %s", address, absl::StatusCodeToString(code)));
    }
    return absl::Status(code, said);
  }

  std::string Unavailable(const std::string& said) const {
    const char* hint =
        "is kindling-controller running there? Name another with --controller or "
        "KINDLING_CONTROLLER";
    const char* why = "it cannot be reached";
    if (absl::StrContains(said, "Connection refused")) why = "connection refused";
    if (absl::StrContains(said, "DNS resolution failed")) why = "the name is not known";
    if (absl::StrContains(said, "No route to host") || absl::StrContains(said, "unreachable")) {
      why = "no route to it";
    }
    const bool answers_otherwise = absl::StrContains(said, "http1.x") ||
                                   absl::StrContains(said, "ocket closed") ||
                                   absl::StrContains(said, "onnection reset");
    if (absl::StrContains(said, "verify failed") ||
        absl::StrContains(said, "CERTIFICATE_VERIFY_FAILED") ||
        absl::StrContains(said, "eer name")) {
      why = "its certificate is not signed by the CA in --ca-file, or is for another name";
      hint = "give the file that the controller's certificate comes from";
    } else if (uses_tls && (answers_otherwise || absl::StrContains(said, "andshake") ||
                            absl::StrContains(said, "SSL"))) {
      why = "it does not speak TLS";
      hint = "leave --ca-file and KINDLING_CA_FILE out where the controller has no tls set";
    } else if (answers_otherwise) {
      why = "something there does not speak gRPC in clear text, or broke off";
      hint = "where the controller has tls set give --ca-file; its port is 7420 by default";
    }
    return absl::StrFormat("no controller at %s: %s; %s", address, why, hint);
  }
};

Client::Client(std::unique_ptr<Rep> rep) : rep_(std::move(rep)) {}
Client::~Client() = default;

absl::StatusOr<std::unique_ptr<Client>> Client::Create(const ClientOptions& options) {
  ASSIGN_OR_RETURN(const Endpoint endpoint, ParseEndpoint(options.address));
  std::shared_ptr<grpc::ChannelCredentials> credentials;
  if (!options.ca_file.empty()) {
    ASSIGN_OR_RETURN(const std::string ca, base::ReadFile(options.ca_file, kMaxCaBytes));
    if (!absl::StrContains(ca, "-----BEGIN CERTIFICATE-----")) {
      return absl::InvalidArgumentError(absl::StrFormat(
          "--ca-file: %s holds no PEM certificate (-----BEGIN CERTIFICATE-----)", options.ca_file));
    }
    credentials = grpc::SslCredentials({.pem_root_certs = ca});
  } else if (options.insecure || IsLoopback(endpoint.host)) {
    credentials = grpc::InsecureChannelCredentials();
  } else {
    return absl::InvalidArgumentError(absl::StrFormat(
        "%s is another machine: give --ca-file FILE for TLS, or --insecure for clear text",
        options.address));
  }
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kMaxAnswerBytes);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  auto rep = std::make_unique<Rep>();
  rep->address = options.address;
  rep->timeout = options.timeout;
  rep->uses_tls = !options.ca_file.empty();
  const auto channel = grpc::CreateCustomChannel(Target(endpoint), credentials, arguments);
  rep->query = v1::QueryService::NewStub(channel);
  rep->store = v1::StoreService::NewStub(channel);
  rep->connections = v1::ConnectionService::NewStub(channel);
  rep->firewall = v1::FirewallService::NewStub(channel);
  rep->capture = v1::CaptureService::NewStub(channel);
  rep->paths = v1::PathService::NewStub(channel);
  return std::unique_ptr<Client>(new Client(std::move(rep)));
}

const std::string& Client::address() const { return rep_->address; }

// One overload per question, so that callers need not know gRPC.
#define KD_CALL(stub, Method)                                                                     \
  absl::Status Client::Call(const v1::Method##Request& request, v1::Method##Response* response) { \
    grpc::ClientContext context;                                                                  \
    context.set_deadline(absl::ToChronoTime(absl::Now() + rep_->timeout));                        \
    return rep_->Explain(rep_->stub->Method(&context, request, response));                        \
  }

KD_CALL(query, ListServices)
KD_CALL(query, ListEdges)
KD_CALL(query, ListSpans)
KD_CALL(query, GetSpan)
KD_CALL(query, ListAgents)
KD_CALL(query, ListProcesses)
KD_CALL(query, GetServerInfo)
KD_CALL(query, GetTrace)
KD_CALL(query, ListEndpoints)
KD_CALL(query, ListTcp)
KD_CALL(query, ListDns)
KD_CALL(query, ListDrops)
KD_CALL(query, ListNat)
KD_CALL(query, ListInterfaces)
KD_CALL(query, ListLabelValues)
KD_CALL(query, ListSeries)
KD_CALL(connections, ListConnections)
KD_CALL(store, GetStoreStatus)
KD_CALL(store, CompactStore)
KD_CALL(store, BackupStore)
KD_CALL(store, VerifyStore)

#undef KD_CALL

namespace {

// Gives each part of an answer to `visit`, whose first error ends the call.
template <typename Response, typename Reader, typename Visit>
absl::Status ReadAll(grpc::ClientContext& context, Reader& reader, const Visit& visit,
                     grpc::Status* finished) {
  absl::Status visited;
  Response response;
  while (visited.ok() && reader.Read(&response)) visited = visit(response);
  if (!visited.ok()) context.TryCancel();
  *finished = reader.Finish();
  return visited;
}

// Of a trace without a limit of its own.
constexpr absl::Duration kDefaultTrace = absl::Seconds(10);

}  // namespace

absl::Status Client::Call(const v1::QueryRangeRequest& request, const RangeVisitor& visit) {
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + rep_->timeout));
  const auto reader = rep_->query->QueryRange(&context, request);
  grpc::Status finished;
  RETURN_IF_ERROR(ReadAll<v1::QueryRangeResponse>(context, *reader, visit, &finished));
  return rep_->Explain(finished);
}

absl::Status Client::Call(const v1::TraceRulesRequest& request, const RulesVisitor& visit) {
  grpc::ClientContext context;
  const absl::Duration limit = request.limit_ms() == 0
                                   ? kDefaultTrace
                                   : absl::Milliseconds(static_cast<int64_t>(request.limit_ms()));
  context.set_deadline(absl::ToChronoTime(absl::Now() + limit + rep_->timeout));
  const auto reader = rep_->firewall->TraceRules(&context, request);
  grpc::Status finished;
  RETURN_IF_ERROR(ReadAll<v1::TraceRulesResponse>(context, *reader, visit, &finished));
  return rep_->Explain(finished);
}

namespace {

class RpcPacketStream final : public PacketStream {
 public:
  using Explain = std::function<absl::Status(const grpc::Status&)>;

  RpcPacketStream(v1::CaptureService::Stub& stub, const v1::CapturePacketsRequest& request,
                  absl::Time deadline, Explain explain)
      : explain_(std::move(explain)) {
    context_.set_deadline(absl::ToChronoTime(deadline));
    stream_ = stub.CapturePackets(&context_);
    stream_->Write(request);
  }
  // Whoever leaves early is not waited for.
  ~RpcPacketStream() override { context_.TryCancel(); }

  bool Next(v1::CapturePacketsResponse* response) override { return stream_->Read(response); }
  void Stop() override { stream_->WritesDone(); }
  absl::Status Finish() override { return explain_(stream_->Finish()); }

 private:
  const Explain explain_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::CapturePacketsRequest, v1::CapturePacketsResponse>>
      stream_;
};

}  // namespace

std::unique_ptr<PacketStream> Client::CapturePackets(const v1::CapturePacketsRequest& request,
                                                     absl::Duration duration) {
  return std::make_unique<RpcPacketStream>(
      *rep_->capture, request, absl::Now() + duration + rep_->timeout,
      [this](const grpc::Status& status) { return rep_->Explain(status); });
}

absl::Status Client::Call(const v1::TracePathRequest& request, const PathVisitor& visit) {
  grpc::ClientContext context;
  context.set_deadline(
      absl::ToChronoTime(absl::Now() + rep_->timeout + absl::Milliseconds(request.limit_ms())));
  const auto reader = rep_->paths->TracePath(&context, request);
  grpc::Status finished;
  RETURN_IF_ERROR(ReadAll<v1::TracePathResponse>(context, *reader, visit, &finished));
  return rep_->Explain(finished);
}

}  // namespace kindling::ui
