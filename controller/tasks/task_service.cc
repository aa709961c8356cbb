#include "controller/tasks/task_service.h"

#include <utility>
#include <vector>

#include "absl/strings/str_format.h"
#include "base/rpc_status.h"
#include "controller/tasks/attend_stream.h"
#include "controller/tasks/task_stream.h"
#include "kindling/v1/tasks.grpc.pb.h"

namespace kindling::controller {
namespace {

constexpr int kMaxTaskKinds = 64;
constexpr size_t kMaxNameBytes = 512;

// Ends calls that never began.
class RefusedAttendance final : public grpc::ServerWriteReactor<v1::AttendTasksResponse> {
 public:
  explicit RefusedAttendance(const absl::Status& status) { Finish(base::ToRpcStatus(status)); }
  void OnDone() override { delete this; }
};

class RefusedTask final : public grpc::ServerBidiReactor<v1::RunTaskRequest, v1::RunTaskResponse> {
 public:
  explicit RefusedTask(const absl::Status& status) { Finish(base::ToRpcStatus(status)); }
  void OnDone() override { delete this; }
};

absl::Status Check(const v1::AttendTasksRequest& request, const Access& access) {
  if (request.agent_id().empty() || request.agent_id().size() > kMaxNameBytes ||
      request.host().size() > kMaxNameBytes || request.tasks_size() > kMaxTaskKinds) {
    return absl::InvalidArgumentError("not an agent's attendance");
  }
  for (const std::string& task : request.tasks()) {
    if (task.size() > kMaxNameBytes) return absl::InvalidArgumentError("the name is too long");
  }
  if (!request.cluster().empty() && request.cluster() != access.cluster()) {
    return absl::FailedPreconditionError(
        absl::StrFormat("this controller is of cluster \"%s\"", access.cluster()));
  }
  return absl::OkStatus();
}

}  // namespace

class TaskService::Impl final : public v1::TaskService::CallbackService {
 public:
  Impl(TaskHub& hub, const Access& access) : hub_(hub), access_(access) {}

  grpc::ServerWriteReactor<v1::AttendTasksResponse>* AttendTasks(
      grpc::CallbackServerContext* context, const v1::AttendTasksRequest* request) override {
    absl::Status status = access_.Admit(*context).status();
    if (status.ok()) status = Check(*request, access_);
    if (!status.ok()) return new RefusedAttendance(status);
    const auto stream = std::make_shared<AttendStream>(
        hub_, TaskHub::Attendant{.agent_id = request->agent_id(),
                                 .host = request->host(),
                                 .tasks = {request->tasks().begin(), request->tasks().end()}});
    stream->Start();
    return stream.get();
  }

  grpc::ServerBidiReactor<v1::RunTaskRequest, v1::RunTaskResponse>* RunTask(
      grpc::CallbackServerContext* context) override {
    const absl::Status status = access_.Admit(*context).status();
    if (!status.ok()) return new RefusedTask(status);
    const auto stream = std::make_shared<TaskStream>(hub_);
    stream->Start();
    return stream.get();
  }

 private:
  TaskHub& hub_;
  const Access& access_;
};

TaskService::TaskService(TaskHub& hub, const Access& access)
    : impl_(std::make_unique<Impl>(hub, access)) {}
TaskService::~TaskService() = default;

grpc::Service* TaskService::service() { return impl_.get(); }

}  // namespace kindling::controller
