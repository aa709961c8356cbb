#pragma once

#include <grpcpp/client_context.h>
#include <grpcpp/support/sync_stream.h>

#include <cstdint>
#include <memory>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "agent/tasks/task.h"
#include "kindling/v1/tasks.grpc.pb.h"

namespace kindling::agent {

// One task and the call that carries what it gives.
//
// Threads:  one that runs the task, one that hears the controller.
// Lifetime: `stub` must outlive this.
// Failure:  a task that could not be made, or fails, is told to the controller as its end; when the
//           controller is gone the task ends.
class TaskCall final : private TaskContext {
 public:
  struct Options {
    std::string agent_id;
    uint64_t task_id = 0;
    absl::Duration limit;
  };
  TaskCall(v1::TaskService::StubInterface& stub, const Options& options,
           absl::StatusOr<std::unique_ptr<Task>> task);
  // Stops the task, and waits at most kStopWithin for what it still has to send.
  ~TaskCall() override;
  TaskCall(const TaskCall&) = delete;
  TaskCall& operator=(const TaskCall&) = delete;

  bool done() const;

 private:
  static constexpr absl::Duration kStopWithin = absl::Seconds(2);

  bool Emit(const google::protobuf::Message& output) override;
  bool stopped() const override;
  bool WaitUntilStopped(absl::Duration timeout) override;

  void Run();
  void Hear();
  absl::Status RunTask();

  const Options options_;
  const absl::Time deadline_;  // of the task
  absl::StatusOr<std::unique_ptr<Task>> task_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriterInterface<v1::RunTaskRequest, v1::RunTaskResponse>>
      stream_;

  mutable absl::Mutex mu_;
  bool stop_ ABSL_GUARDED_BY(mu_) = false;
  bool heard_end_ ABSL_GUARDED_BY(mu_) = false;  // of the call
  bool done_ ABSL_GUARDED_BY(mu_) = false;
  std::thread hearing_;
  std::thread running_;  // last: it uses the rest
};

}  // namespace kindling::agent
