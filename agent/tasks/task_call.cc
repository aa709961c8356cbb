#include "agent/tasks/task_call.h"

#include <chrono>
#include <utility>

namespace kindling::agent {
namespace {

// Whatever happens no call lasts longer than its task and this.
constexpr absl::Duration kGrace = absl::Seconds(30);
// For the controller to end the call once the task has.
constexpr absl::Duration kEndWithin = absl::Seconds(5);

}  // namespace

TaskCall::TaskCall(v1::TaskService::StubInterface& stub, const Options& options,
                   absl::StatusOr<std::unique_ptr<Task>> task)
    : options_(options), deadline_(absl::Now() + options.limit), task_(std::move(task)) {
  context_.set_deadline(absl::ToChronoTime(deadline_ + kGrace));
  stream_ = stub.RunTask(&context_);
  hearing_ = std::thread([this] { Hear(); });
  running_ = std::thread([this] { Run(); });
}

TaskCall::~TaskCall() {
  {
    absl::MutexLock lock(&mu_);
    stop_ = true;
    mu_.AwaitWithTimeout(absl::Condition(&done_), kStopWithin);
  }
  context_.TryCancel();
  running_.join();
}

bool TaskCall::done() const {
  absl::MutexLock lock(&mu_);
  return done_;
}

bool TaskCall::Emit(const google::protobuf::Message& output) {
  v1::RunTaskRequest request;
  request.mutable_output()->PackFrom(output);
  return stream_->Write(request);
}

bool TaskCall::stopped() const {
  absl::MutexLock lock(&mu_);
  return stop_ || absl::Now() >= deadline_;
}

bool TaskCall::WaitUntilStopped(absl::Duration timeout) {
  absl::MutexLock lock(&mu_);
  mu_.AwaitWithDeadline(absl::Condition(&stop_), std::min(absl::Now() + timeout, deadline_));
  return stop_ || absl::Now() >= deadline_;
}

absl::Status TaskCall::RunTask() {
  if (!task_.ok()) return task_.status();
  const absl::Status status = (*task_)->Run(*this);
  *task_ = nullptr;  // what it holds is given back before anybody hears of its end
  return status;
}

void TaskCall::Run() {
  v1::RunTaskRequest request;
  request.mutable_open()->set_task_id(options_.task_id);
  request.mutable_open()->set_agent_id(options_.agent_id);
  if (stream_->Write(request)) {
    const absl::Status status = RunTask();
    request.mutable_end()->set_code(static_cast<int>(status.code()));
    request.mutable_end()->set_message(std::string(status.message()));
    stream_->Write(request);
  }
  stream_->WritesDone();
  {
    absl::MutexLock lock(&mu_);
    mu_.AwaitWithTimeout(absl::Condition(&heard_end_), kEndWithin);
  }
  context_.TryCancel();
  hearing_.join();
  stream_->Finish();  // how it ended has been told, or nobody is there to be told
  absl::MutexLock lock(&mu_);
  done_ = true;
}

void TaskCall::Hear() {
  v1::RunTaskResponse response;
  while (stream_->Read(&response)) {
    if (!response.stop()) continue;
    absl::MutexLock lock(&mu_);
    stop_ = true;
  }
  absl::MutexLock lock(&mu_);
  stop_ = heard_end_ = true;
}

}  // namespace kindling::agent
