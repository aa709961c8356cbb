#include "controller/path/path_service.h"

#include <string>
#include <utility>

#include "absl/strings/str_format.h"
#include "base/rpc_status.h"
#include "base/status_macros.h"
#include "controller/path/path_ends.h"
#include "controller/path/path_run.h"
#include "kindling/v1/paths.grpc.pb.h"

namespace kindling::controller {
namespace {

constexpr size_t kMaxNameBytes = 512;

absl::StatusOr<uint32_t> ProtocolNumber(const std::string& name) {
  if (name.empty()) return 0;
  if (name == "tcp") return 6;
  if (name == "udp") return 17;
  if (name == "icmp") return 1;
  return absl::InvalidArgumentError(
      absl::StrFormat("protocol \"%s\": must be tcp, udp or icmp", name));
}

absl::Status Check(const v1::TracePathRequest& request) {
  if (request.from().empty() || request.to().empty() || request.from().size() > kMaxNameBytes ||
      request.to().size() > kMaxNameBytes) {
    return absl::InvalidArgumentError("both ends must be named");
  }
  if (request.port() > 65535) return absl::InvalidArgumentError("port: at most 65535");
  return absl::OkStatus();
}

}  // namespace

class PathService::Impl final : public v1::PathService::Service {
 public:
  Impl(QuerySources sources, TaskHub& hub, const Access& access)
      : sources_(sources), hub_(hub), access_(access) {}

  grpc::Status TracePath(grpc::ServerContext* context, const v1::TracePathRequest* request,
                         grpc::ServerWriter<v1::TracePathResponse>* writer) override {
    return base::ToRpcStatus(Trace(*context, *request, *writer));
  }

 private:
  absl::Status Trace(grpc::ServerContext& context, const v1::TracePathRequest& request,
                     grpc::ServerWriter<v1::TracePathResponse>& writer) {
    ASSIGN_OR_RETURN(const Caller caller, access_.Admit(context));
    RETURN_IF_ERROR(Check(request));
    const auto cancelled = [&context] { return context.IsCancelled(); };
    const QueryContext question{.sources = sources_, .caller = caller, .cancelled = cancelled};
    v1::PathBegun begun;
    v1::TracePathTask task;
    ASSIGN_OR_RETURN(const auto from, FindPathEnd(question, request.from()));
    ASSIGN_OR_RETURN(const auto to, FindPathEnd(question, request.to()));
    begun.mutable_from_addresses()->Assign(from.begin(), from.end());
    begun.mutable_to_addresses()->Assign(to.begin(), to.end());
    *task.mutable_from_addresses() = begun.from_addresses();
    *task.mutable_to_addresses() = begun.to_addresses();
    ASSIGN_OR_RETURN(const uint32_t protocol, ProtocolNumber(request.protocol()));
    task.set_protocol(protocol);
    task.set_port(request.port());
    task.set_packets_per_second(request.packets_per_second());
    ASSIGN_OR_RETURN(const auto run, PathRun::Start(hub_, request, task));
    run->Tell(std::move(begun),
              {.write = [&](const v1::TracePathResponse& part) { return writer.Write(part); },
               .cancelled = cancelled});
    return absl::OkStatus();
  }

  const QuerySources sources_;
  TaskHub& hub_;
  const Access& access_;
};

PathService::PathService(QuerySources sources, TaskHub& hub, const Access& access)
    : impl_(std::make_unique<Impl>(sources, hub, access)) {}
PathService::~PathService() = default;

grpc::Service* PathService::service() { return impl_.get(); }

}  // namespace kindling::controller
