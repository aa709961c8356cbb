#include "controller/controller.h"

#include <glog/logging.h>
#include <grpc/support/log.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/resource_quota.h>

#include <chrono>
#include <mutex>
#include <thread>
#include <utility>

#include "absl/strings/str_format.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "base/http_server.h"
#include "base/metrics.h"
#include "base/read_file.h"
#include "base/status_macros.h"
#include "controller/access/caller.h"
#include "controller/admin/store_service.h"
#include "controller/connections/connection_service.h"
#include "controller/controller_metrics.h"
#include "controller/firewall/firewall_service.h"
#include "controller/fleet/agent_registry.h"
#include "controller/ingest/committer.h"
#include "controller/ingest/ingest_service.h"
#include "controller/listen_address.h"
#include "controller/packets/capture_service.h"
#include "controller/path/path_service.h"
#include "controller/query/flow_cache.h"
#include "controller/query/query_service.h"
#include "controller/server_poller.h"
#include "controller/store_metrics.h"
#include "controller/tasks/task_hub.h"
#include "controller/tasks/task_service.h"
#include "storage/rocks_store.h"

namespace kindling::controller {
namespace {

constexpr absl::Duration kRetainInterval = absl::Minutes(1);
constexpr absl::Duration kDrainTimeout = absl::Seconds(5);
constexpr std::chrono::seconds kQueryGrace(2);
constexpr int kKeepaliveMs = 10'000;
constexpr int kLeastPingIntervalMs = 5'000;
constexpr int kMaxQueryThreads = 32;
// Of the store's memory.
constexpr uint64_t kFlowCacheShare = 8;
constexpr size_t kMaxPemBytes = 1 << 20;

absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> Credentials(
    const ControllerOptions& options) {
  if (options.certificate_file.empty()) return grpc::InsecureServerCredentials();
  grpc::SslServerCredentialsOptions::PemKeyCertPair pair;
  ASSIGN_OR_RETURN(pair.cert_chain, base::ReadFile(options.certificate_file, kMaxPemBytes));
  ASSIGN_OR_RETURN(pair.private_key, base::ReadFile(options.key_file, kMaxPemBytes));
  grpc::SslServerCredentialsOptions ssl;
  ssl.pem_key_cert_pairs.push_back(std::move(pair));
  return grpc::SslServerCredentials(ssl);
}

storage::RocksStoreOptions StoreOptions(const ControllerOptions& options) {
  const StorageOptions& in = options.storage;
  storage::RocksStoreOptions out;
  out.directory = StoreDirectory(options.data_directory);
  out.max_bytes = in.max_bytes;
  out.memory_bytes = in.memory_limit_bytes;
  // Longer buckets where there is less to drop at a time.
  out.spans = {in.bucket_ns, in.span_max_age_ns};
  out.series_10s = {in.bucket_ns, in.series_10s_max_age_ns};
  out.series_1m = {6 * in.bucket_ns, in.series_1m_max_age_ns};
  out.series_1h = {168 * in.bucket_ns, in.series_1h_max_age_ns};
  out.events = {6 * in.bucket_ns, in.events_max_age_ns};
  return out;
}

// gRPC would write its own lines to standard error.
void SilenceGrpc() {
  static std::once_flag once;
  std::call_once(once, [] {
    gpr_set_log_function([](gpr_log_func_args* args) { VLOG(1) << "grpc: " << args->message; });
  });
}

}  // namespace

// Members are in the order of their making; they go in the reverse.
class Controller::Parts {
 public:
  Parts(const ControllerOptions& options, const base::Clock& clock,
        std::unique_ptr<storage::Store> store)
      : clock_(clock),
        store_(std::move(store)),
        access_(options.cluster),
        committer_(*store_, Committer::Options()),
        ingest_(*store_, committer_, registry_, access_, clock),
        flows_(options.storage.memory_limit_bytes / kFlowCacheShare),
        query_({*store_, registry_, clock, flows_}, access_, metrics_),
        store_service_(store_->admin(), options.storage.backup_directory, access_, clock),
        task_service_(tasks_, access_),
        connections_({*store_, registry_, clock, flows_}, tasks_, access_),
        firewall_(registry_, tasks_, access_),
        capture_service_({*store_, registry_, clock, flows_}, tasks_, access_),
        path_service_({*store_, registry_, clock, flows_}, tasks_, access_) {}

  absl::Status Listen(const ControllerOptions& options);
  absl::Status ServeMetrics(const std::string& listen);
  void StartRetention() {
    retention_ = std::thread([this] { Retain(); });
  }
  void Shutdown();

  const std::string& address() const { return address_; }

 private:
  void Retain();

  const base::Clock& clock_;
  const std::unique_ptr<storage::Store> store_;
  const Access access_;
  AgentRegistry registry_;
  base::Metrics metrics_;
  Committer committer_;
  IngestService ingest_;
  FlowCache flows_;
  QueryService query_;
  StoreService store_service_;
  TaskHub tasks_;
  TaskService task_service_;
  ConnectionService connections_;
  FirewallService firewall_;
  CaptureService capture_service_;
  PathService path_service_;
  std::unique_ptr<base::HttpServer> metrics_server_;
  std::unique_ptr<ServerPoller> poller_;
  std::unique_ptr<grpc::Server> server_;
  std::string address_;
  std::thread retention_;
  absl::Notification stop_;
};

absl::Status Controller::Parts::Listen(const ControllerOptions& options) {
  ASSIGN_OR_RETURN(ListenAddress address, ParseListenAddress(options.listen));
  ASSIGN_OR_RETURN(const auto credentials, Credentials(options));
  SilenceGrpc();
  grpc::EnableDefaultHealthCheckService(true);
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  grpc::ServerBuilder builder;
  int port = 0;
  poller_ = std::make_unique<ServerPoller>(builder);
  builder.AddListeningPort(address.ToString(), credentials, &port);
  builder.RegisterService(ingest_.service());
  builder.RegisterService(query_.service());
  builder.RegisterService(store_service_.service());
  builder.RegisterService(task_service_.service());
  builder.RegisterService(connections_.service());
  builder.RegisterService(firewall_.service());
  builder.RegisterService(capture_service_.service());
  builder.RegisterService(path_service_.service());
  builder.SetMaxReceiveMessageSize(IngestService::kMaxMessageBytes);
  grpc::ResourceQuota quota("kindling-controller");
  quota.SetMaxThreads(kMaxQueryThreads);
  builder.SetResourceQuota(quota);
  // A second controller must not share the port unnoticed.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  // An agent that vanished without a word gives its id free within twice this.
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMs);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveMs);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                             kLeastPingIntervalMs);
  server_ = builder.BuildAndStart();
  if (server_ == nullptr || port == 0) {
    server_.reset();
    RETURN_IF_ERROR(ListenFault(address));
    return absl::InternalError(absl::StrFormat(
        "cannot serve on %s: check tls.certificate_file and tls.key_file", address.ToString()));
  }
  poller_->Start();
  address.port = static_cast<uint16_t>(port);
  address_ = address.ToString();
  return absl::OkStatus();
}

absl::Status Controller::Parts::ServeMetrics(const std::string& listen) {
  if (listen.empty()) return absl::OkStatus();
  AddControllerMetrics(metrics_, *store_, committer_, ingest_, registry_);
  AddFlowCacheMetrics(metrics_, flows_);
  AddStoreMetrics(metrics_, store_->admin(), clock_);
  const auto text = [this] {
    return base::HttpResponse{.content_type = std::string(base::MetricsText::kContentType),
                              .body = metrics_.Text()};
  };
  absl::StatusOr<std::unique_ptr<base::HttpServer>> started =
      base::HttpServer::Start({.listen = listen}, {{"/metrics", text}});
  if (!started.ok()) {
    return absl::Status(
        started.status().code(),
        absl::StrFormat("metrics_listen: %s", std::string(started.status().message())));
  }
  metrics_server_ = *std::move(started);
  return absl::OkStatus();
}

void Controller::Parts::Retain() {
  while (!stop_.WaitForNotificationWithTimeout(kRetainInterval)) {
    const absl::Status status = store_->Retain(clock_.WallNs());
    if (!status.ok()) LOG(ERROR) << "retention: " << status;
  }
}

void Controller::Parts::Shutdown() {
  if (!stop_.HasBeenNotified()) stop_.Notify();
  metrics_server_.reset();
  if (server_ != nullptr) {
    server_->GetHealthCheckService()->SetServingStatus(false);
    tasks_.Close();
    if (!ingest_.Drain(kDrainTimeout)) LOG(WARNING) << "some streams did not end in time";
    server_->Shutdown(std::chrono::system_clock::now() + kQueryGrace);
    server_->Wait();
    server_.reset();
  }
  poller_.reset();
  if (retention_.joinable()) retention_.join();
}

absl::StatusOr<std::unique_ptr<Controller>> Controller::Start(const ControllerOptions& options,
                                                              const base::Clock& clock) {
  ASSIGN_OR_RETURN(std::unique_ptr<storage::Store> store,
                   storage::OpenRocksStore(StoreOptions(options)));
  auto parts = std::make_unique<Parts>(options, clock, std::move(store));
  RETURN_IF_ERROR(parts->ServeMetrics(options.metrics_listen));
  RETURN_IF_ERROR(parts->Listen(options));
  parts->StartRetention();
  return std::unique_ptr<Controller>(new Controller(std::move(parts)));
}

Controller::Controller(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Controller::~Controller() { Shutdown(); }

const std::string& Controller::address() const { return parts_->address(); }
void Controller::Shutdown() { parts_->Shutdown(); }

}  // namespace kindling::controller
