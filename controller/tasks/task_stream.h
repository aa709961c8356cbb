#pragma once

#include <grpcpp/support/server_callback.h>

#include <memory>
#include <optional>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "base/serial_pump.h"
#include "controller/tasks/task_hub.h"
#include "kindling/v1/tasks.pb.h"

namespace kindling::controller {

// The gRPC side of one agent's part of a run: reads while there is room in the run's queue.
//
// Threads:  gRPC's, and the reader's of the run.
// Lifetime: owned by itself from Start() until gRPC has called OnDone.
class TaskStream final : public grpc::ServerBidiReactor<v1::RunTaskRequest, v1::RunTaskResponse>,
                         public std::enable_shared_from_this<TaskStream> {
 public:
  explicit TaskStream(TaskHub& hub) : hub_(hub) {}

  void Start();

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

 private:
  // The status to end with, if the call ends.
  std::optional<absl::Status> Handle();
  absl::Status HandleOpen();
  void Pump();
  void Step();

  TaskHub& hub_;
  std::shared_ptr<TaskStream> self_;
  v1::RunTaskRequest request_;    // gRPC's while reading_
  v1::RunTaskResponse response_;  // gRPC's while writing_
  base::SerialPump pump_;

  absl::Mutex mu_;
  TaskHub::Place place_ ABSL_GUARDED_BY(mu_);  // without a queue until the part is open
  std::optional<absl::Status> end_ ABSL_GUARDED_BY(mu_);
  bool reading_ ABSL_GUARDED_BY(mu_) = false;  // until the request has been handled
  bool writing_ ABSL_GUARDED_BY(mu_) = false;
  bool told_stop_ ABSL_GUARDED_BY(mu_) = false;
  bool finished_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace kindling::controller
