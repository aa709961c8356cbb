#include "controller/tasks/task_stream.h"

#include <utility>

#include "base/rpc_status.h"
#include "base/status_macros.h"

namespace kindling::controller {
namespace {

constexpr char kGone[] = "the agent went away before it had finished";
constexpr int kMaxCode = 16;  // of google.rpc.Code

}  // namespace

void TaskStream::Start() {
  self_ = shared_from_this();
  Pump();
}

void TaskStream::OnReadDone(bool ok) {
  // Nothing else touches the request, or reads, until reading_ is false again.
  std::optional<absl::Status> end;
  if (ok) end = Handle();
  {
    absl::MutexLock lock(&mu_);
    reading_ = false;
    if (!ok && !end_) end_ = absl::UnavailableError(kGone);
    if (end && !end_) end_ = std::move(end);
  }
  Pump();
}

std::optional<absl::Status> TaskStream::Handle() {
  TaskHub::Place place;
  {
    absl::MutexLock lock(&mu_);
    place = place_;
  }
  if (request_.has_open() != (place.queue == nullptr)) {
    return absl::InvalidArgumentError("a task is opened once, and first");
  }
  switch (request_.message_case()) {
    case v1::RunTaskRequest::kOpen:
      if (absl::Status status = HandleOpen(); !status.ok()) return status;
      return std::nullopt;
    case v1::RunTaskRequest::kOutput:
      place.queue->Push(place.agent, std::move(*request_.mutable_output()));
      return std::nullopt;
    case v1::RunTaskRequest::kEnd: {
      const int code = request_.end().code();
      place.queue->End(place.agent,
                       {code >= 0 && code <= kMaxCode ? static_cast<absl::StatusCode>(code)
                                                      : absl::StatusCode::kUnknown,
                        request_.end().message()});
      return absl::OkStatus();
    }
    case v1::RunTaskRequest::MESSAGE_NOT_SET:  // from a newer agent
      break;
  }
  return std::nullopt;
}

absl::Status TaskStream::HandleOpen() {
  ASSIGN_OR_RETURN(TaskHub::Place place,
                   hub_.Find(request_.open().task_id(), request_.open().agent_id()));
  const bool is_open = place.queue->Open(place.agent, [weak = weak_from_this()] {
    if (const std::shared_ptr<TaskStream> stream = weak.lock()) stream->Pump();
  });
  if (!is_open) return absl::NotFoundError("nobody waits for this task");
  absl::MutexLock lock(&mu_);
  place_ = std::move(place);
  return absl::OkStatus();
}

void TaskStream::OnWriteDone(bool ok) {
  {
    absl::MutexLock lock(&mu_);
    writing_ = false;
    if (!ok && !end_) end_ = absl::UnavailableError(kGone);
  }
  Pump();
}

void TaskStream::OnCancel() {
  {
    absl::MutexLock lock(&mu_);
    if (!end_) end_ = absl::UnavailableError(kGone);
  }
  Pump();
}

void TaskStream::Pump() {
  // Once it has finished gRPC may drop this at any moment.
  const std::shared_ptr<TaskStream> keep = shared_from_this();
  pump_.Run([this] { Step(); });
}

void TaskStream::Step() {
  bool read = false;
  bool write = false;
  std::optional<absl::Status> finish;
  {
    absl::MutexLock lock(&mu_);
    if (finished_) return;
    TaskQueue::Asks asks{.room = true};
    if (place_.queue != nullptr) asks = place_.queue->AsksOf(place_.agent);
    if (asks.given_up && !end_) end_ = absl::CancelledError("nobody reads on");
    if (end_ && !writing_) {
      finished_ = true;
      finish = end_;
    } else if (!end_) {
      if (asks.stop && !told_stop_ && !writing_) write = writing_ = told_stop_ = true;
      if (asks.room && !reading_) read = reading_ = true;
    }
  }
  if (write) {
    response_.set_stop(true);
    StartWrite(&response_);
  }
  if (read) StartRead(&request_);
  if (finish) Finish(base::ToRpcStatus(*finish));
}

void TaskStream::OnDone() {
  TaskHub::Place place;
  {
    absl::MutexLock lock(&mu_);
    place = std::move(place_);
  }
  if (place.queue != nullptr) place.queue->End(place.agent, absl::UnavailableError(kGone));
  const std::shared_ptr<TaskStream> last = std::move(self_);
}

}  // namespace kindling::controller
