#include "agent/tasks/attendance.h"

#include <glog/logging.h>
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_format.h"
#include "agent/tasks/task_call.h"
#include "base/rpc_status.h"
#include "base/status_macros.h"
#include "kindling/v1/tasks.grpc.pb.h"

namespace kindling::agent {

struct TaskAttendance::Connection {
  std::shared_ptr<grpc::Channel> channel;
  std::unique_ptr<v1::TaskService::Stub> stub;
  grpc::ClientContext* call = nullptr;  // that waits now; the attendance's mu_ guards it
};

absl::StatusOr<std::unique_ptr<TaskAttendance>> TaskAttendance::Create(
    Options options, std::vector<TaskKind> kinds) {
  auto connection = std::make_unique<Connection>();
  ASSIGN_OR_RETURN(connection->channel, OpenControllerChannel(options.controller));
  connection->stub = v1::TaskService::NewStub(connection->channel);
  return std::unique_ptr<TaskAttendance>(
      new TaskAttendance(std::move(options), std::move(kinds), std::move(connection)));
}

TaskAttendance::TaskAttendance(Options options, std::vector<TaskKind> kinds,
                               std::unique_ptr<Connection> connection)
    : options_(std::move(options)),
      kinds_(std::move(kinds)),
      connection_(std::move(connection)),
      random_(static_cast<uint32_t>(std::hash<std::string>()(options_.agent_id))) {}

TaskAttendance::~TaskAttendance() { Stop(); }

void TaskAttendance::Start() {
  thread_ = std::thread([this] { Run(); });
}

void TaskAttendance::Stop() {
  {
    absl::MutexLock lock(&mu_);
    stopping_ = true;
    if (connection_->call != nullptr) connection_->call->TryCancel();
  }
  if (thread_.joinable()) thread_.join();
}

void TaskAttendance::Run() {
  absl::Duration retry = options_.first_retry;
  absl::StatusCode logged = absl::StatusCode::kOk;
  while (true) {
    welcomed_ = false;
    const absl::Status status = Attend();
    if (welcomed_) {
      retry = options_.first_retry;
      logged = absl::StatusCode::kOk;
    }
    absl::MutexLock lock(&mu_);
    if (stopping_) break;
    if (status.code() != logged) {
      logged = status.code();
      LOG(WARNING) << "no tasks from controller " << options_.controller.address << ": "
                   << status.message();
    }
    const double jitter = std::uniform_real_distribution<double>(0.7, 1.3)(random_);
    mu_.AwaitWithTimeout(absl::Condition(&stopping_), retry * jitter);
    if (stopping_) break;
    retry = absl::IsUnimplemented(status) ? options_.last_retry
                                          : std::min(retry * 1.6, options_.last_retry);
  }
  calls_.clear();
}

absl::Status TaskAttendance::Attend() {
  grpc::ClientContext context;
  {
    absl::MutexLock lock(&mu_);
    if (stopping_) return absl::CancelledError("stopping");
    connection_->call = &context;
  }
  v1::AttendTasksRequest request;
  request.set_agent_id(options_.agent_id);
  request.set_host(options_.host);
  request.set_cluster(options_.cluster);
  for (const TaskKind& kind : kinds_) request.add_tasks(kind.name);
  const auto reader = connection_->stub->AttendTasks(&context, request);
  v1::AttendTasksResponse response;
  while (reader->Read(&response)) {
    welcomed_ = true;
    if (response.has_start()) Begin(response.start());
  }
  {
    absl::MutexLock lock(&mu_);
    connection_->call = nullptr;
  }
  return base::FromRpcStatus(reader->Finish());
}

void TaskAttendance::Begin(const v1::StartTask& start) {
  std::erase_if(calls_, [](const auto& call) { return call->done(); });
  // One more than are allowed is told so; of more than that the controller hears nothing.
  if (calls_.size() > options_.max_tasks) return;
  const int64_t limit_ms = static_cast<int64_t>(std::min<uint64_t>(
      start.limit_ms(), static_cast<uint64_t>(absl::ToInt64Milliseconds(options_.max_limit))));
  calls_.push_back(std::make_unique<TaskCall>(
      *connection_->stub,
      TaskCall::Options{.agent_id = options_.agent_id,
                        .task_id = start.task_id(),
                        .limit = absl::Milliseconds(limit_ms)},
      calls_.size() == options_.max_tasks
          ? absl::ResourceExhaustedError(absl::StrFormat(
                "the agent runs %d tasks already: wait until one has ended", options_.max_tasks))
          : MakeTask(start)));
}

absl::StatusOr<std::unique_ptr<Task>> TaskAttendance::MakeTask(const v1::StartTask& start) const {
  for (const TaskKind& kind : kinds_) {
    if (start.task().type_url().ends_with("/" + kind.name)) return kind.make(start.task());
  }
  return absl::UnimplementedError("the agent does not know this task");
}

}  // namespace kindling::agent
