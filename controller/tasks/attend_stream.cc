#include "controller/tasks/attend_stream.h"

#include <utility>

#include "base/rpc_status.h"

namespace kindling::controller {

void AttendStream::Start() {
  self_ = shared_from_this();
  // The hub may hold these for a little longer than the call lasts.
  const std::weak_ptr<AttendStream> weak = weak_from_this();
  const absl::StatusOr<TaskHub::Lease> lease =
      hub_.Attend(attendant_, {.start =
                                   [weak](v1::StartTask start) {
                                     if (const auto stream = weak.lock())
                                       stream->Send(std::move(start));
                                   },
                               .end =
                                   [weak](absl::Status status) {
                                     if (const auto stream = weak.lock())
                                       stream->End(std::move(status));
                                   }});
  if (!lease.ok()) return End(lease.status());
  {
    absl::MutexLock lock(&mu_);
    lease_ = *lease;
  }
  // Tells the agent that it has been admitted.
  StartSendInitialMetadata();
}

void AttendStream::Send(v1::StartTask start) {
  {
    absl::MutexLock lock(&mu_);
    if (waiting_.size() < kMaxWaiting) {
      waiting_.push_back(std::move(start));
    } else if (!end_) {
      end_ = absl::ResourceExhaustedError("the agent does not take its tasks");
    }
  }
  Pump();
}

void AttendStream::End(absl::Status status) {
  {
    absl::MutexLock lock(&mu_);
    if (!end_) end_ = std::move(status);
  }
  Pump();
}

void AttendStream::OnWriteDone(bool ok) {
  {
    absl::MutexLock lock(&mu_);
    writing_ = false;
    if (!ok && !end_) end_ = absl::CancelledError("the agent is gone");
  }
  Pump();
}

void AttendStream::Pump() {
  // Once it has finished gRPC may drop this at any moment.
  const std::shared_ptr<AttendStream> keep = shared_from_this();
  pump_.Run([this] { Step(); });
}

void AttendStream::Step() {
  bool write = false;
  std::optional<absl::Status> finish;
  {
    absl::MutexLock lock(&mu_);
    if (finished_ || writing_) return;
    if (end_) {
      finished_ = true;
      finish = end_;
    } else if (!waiting_.empty()) {
      write = writing_ = true;
      *response_.mutable_start() = std::move(waiting_.front());
      waiting_.pop_front();
    }
  }
  if (write) StartWrite(&response_);
  if (finish) Finish(base::ToRpcStatus(*finish));
}

void AttendStream::OnDone() {
  TaskHub::Lease lease = 0;
  {
    absl::MutexLock lock(&mu_);
    lease = lease_;
  }
  hub_.Leave(attendant_.agent_id, lease);
  const std::shared_ptr<AttendStream> last = std::move(self_);
}

}  // namespace kindling::controller
