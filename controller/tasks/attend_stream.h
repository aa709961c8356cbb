#pragma once

#include <grpcpp/support/server_callback.h>

#include <deque>
#include <memory>
#include <optional>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "base/serial_pump.h"
#include "controller/tasks/task_hub.h"
#include "kindling/v1/tasks.pb.h"

namespace kindling::controller {

// The gRPC side of an agent that waits for tasks.
//
// Threads:  gRPC's, and those that start tasks.
// Lifetime: owned by itself from Start() until gRPC has called OnDone.
// Limits:   kMaxWaiting tasks wait for an agent that does not read; it is told to come again then.
class AttendStream final : public grpc::ServerWriteReactor<v1::AttendTasksResponse>,
                           public std::enable_shared_from_this<AttendStream> {
 public:
  static constexpr size_t kMaxWaiting = 64;

  AttendStream(TaskHub& hub, TaskHub::Attendant attendant)
      : hub_(hub), attendant_(std::move(attendant)) {}

  void Start();
  void End(absl::Status status);

  void OnWriteDone(bool ok) override;
  void OnCancel() override { End(absl::CancelledError("the agent is gone")); }
  void OnDone() override;

 private:
  void Send(v1::StartTask start);
  void Pump();
  void Step();

  TaskHub& hub_;
  const TaskHub::Attendant attendant_;
  std::shared_ptr<AttendStream> self_;
  v1::AttendTasksResponse response_;  // gRPC's while writing_
  base::SerialPump pump_;

  absl::Mutex mu_;
  TaskHub::Lease lease_ ABSL_GUARDED_BY(mu_) = 0;
  std::deque<v1::StartTask> waiting_ ABSL_GUARDED_BY(mu_);
  std::optional<absl::Status> end_ ABSL_GUARDED_BY(mu_);
  bool writing_ ABSL_GUARDED_BY(mu_) = false;
  bool finished_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace kindling::controller
