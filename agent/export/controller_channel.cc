#include "agent/export/controller_channel.h"

#include <grpcpp/grpcpp.h>

#include "absl/strings/str_format.h"
#include "base/read_file.h"
#include "base/status_macros.h"

namespace kindling::agent {
namespace {

constexpr size_t kMaxCaFileBytes = 1 << 20;

bool IsLoopback(const std::string& address) {
  const std::string host = address.substr(0, address.rfind(':'));
  return host == "localhost" || host == "[::1]" || host.starts_with("127.");
}

absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> Credentials(
    const ControllerAddress& controller) {
  if (!controller.ca_file.empty()) {
    grpc::SslCredentialsOptions ssl;
    ASSIGN_OR_RETURN(ssl.pem_root_certs, base::ReadFile(controller.ca_file, kMaxCaFileBytes));
    return grpc::SslCredentials(ssl);
  }
  if (controller.insecure || IsLoopback(controller.address)) {
    return grpc::InsecureChannelCredentials();
  }
  return absl::InvalidArgumentError(absl::StrFormat(
      "controller.address %s is not loopback: set controller.ca_file to the certificate authority "
      "of the controller, or controller.insecure: true to send in clear text",
      controller.address));
}

}  // namespace

absl::StatusOr<std::shared_ptr<grpc::Channel>> OpenControllerChannel(
    const ControllerAddress& controller) {
  ASSIGN_OR_RETURN(const auto credentials, Credentials(controller));
  grpc::ChannelArguments args;
  // A peer that vanished without a word is noticed by who waits for an answer, and by this on an
  // idle call; gRPC servers end connections that are pinged more often than every five minutes
  // without data.
  args.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 330'000);
  args.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 20'000);
  // Callers have their own back-off.
  args.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  args.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 5'000);  // time for one attempt
  args.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 500);
  args.SetInt(GRPC_ARG_DNS_MIN_TIME_BETWEEN_RESOLUTIONS_MS, 1'000);
  args.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  args.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return grpc::CreateCustomChannel(controller.address, credentials, args);
}

}  // namespace kindling::agent
