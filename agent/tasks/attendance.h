#pragma once

#include <cstddef>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "agent/export/controller_channel.h"
#include "agent/tasks/task.h"

namespace kindling::v1 {
class StartTask;
}

namespace kindling::agent {

class TaskCall;

// Waits at the controller for tasks and runs them.
//
// Threads:  one of its own, and two for each task. Start and Stop on one thread.
// Failure:  a lost connection is made again, after a jittered wait that grows to last_retry; the
//           tasks that run end with theirs. A controller that knows no tasks is asked again at
//           last_retry.
// Limits:   max_tasks at once; the operator is told of one more that it was refused.
class TaskAttendance {
 public:
  struct Options {
    ControllerAddress controller;
    std::string agent_id;
    std::string host;
    std::string cluster;
    size_t max_tasks = 4;
    absl::Duration max_limit = absl::Hours(1);  // of a task, whatever was asked for
    absl::Duration first_retry = absl::Milliseconds(500);
    absl::Duration last_retry = absl::Seconds(30);
  };

  // Errors: those of OpenControllerChannel.
  static absl::StatusOr<std::unique_ptr<TaskAttendance>> Create(Options options,
                                                                std::vector<TaskKind> kinds);
  ~TaskAttendance();

  void Start();
  // Ends all tasks and waits for them.
  void Stop();

 private:
  struct Connection;
  TaskAttendance(Options options, std::vector<TaskKind> kinds,
                 std::unique_ptr<Connection> connection);

  void Run();
  // One call from its begin to its end.
  absl::Status Attend();
  void Begin(const v1::StartTask& start);
  absl::StatusOr<std::unique_ptr<Task>> MakeTask(const v1::StartTask& start) const;

  const Options options_;
  const std::vector<TaskKind> kinds_;
  const std::unique_ptr<Connection> connection_;
  std::vector<std::unique_ptr<TaskCall>> calls_;  // of the thread below
  std::minstd_rand random_;
  bool welcomed_ = false;

  mutable absl::Mutex mu_;
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  std::thread thread_;
};

}  // namespace kindling::agent
