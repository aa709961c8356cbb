#pragma once

#include <google/protobuf/any.pb.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "controller/tasks/task_queue.h"

namespace kindling::v1 {
class StartTask;
}

namespace kindling::controller {

class TaskHub;

// A task that agents run until each of them has ended it. Given up with the object.
class TaskRun {
 public:
  ~TaskRun();
  TaskRun(const TaskRun&) = delete;
  TaskRun& operator=(const TaskRun&) = delete;

  // See TaskQueue; an agent is named by its place in what was given to Start().
  std::optional<TaskQueue::Event> Next(absl::Time deadline) { return queue_->Next(deadline); }
  bool done() const { return queue_->done(); }
  // Asks the agents to finish; what they still have comes, then their ends.
  void Stop() { queue_->Stop(); }

 private:
  friend class TaskHub;
  TaskRun(TaskHub& hub, std::shared_ptr<TaskQueue> queue) : hub_(hub), queue_(std::move(queue)) {}

  TaskHub& hub_;
  const std::shared_ptr<TaskQueue> queue_;
  std::vector<uint64_t> ids_;
};

// Which agents attend, and which tasks they run.
//
// Threads:  safe from any; callbacks are called without locks.
// Lifetime: must outlive its runs and the gRPC server.
// Limits:   kMaxAttendants, kMaxRuns at once.
class TaskHub {
 public:
  static constexpr size_t kMaxAttendants = 10'000;
  static constexpr size_t kMaxRuns = 16;
  static constexpr absl::Duration kOpenWithin = absl::Seconds(10);

  struct Attendant {
    std::string agent_id;
    std::string host;
    std::vector<std::string> tasks;  // full names of messages
  };

  // ---- agents ----

  using Lease = uint64_t;  // never 0
  struct Calls {
    std::function<void(v1::StartTask)> start;
    std::function<void(absl::Status)> end;
  };
  // Takes over from an earlier call of the same agent, which is told to end. RESOURCE_EXHAUSTED,
  // UNAVAILABLE after Close().
  absl::StatusOr<Lease> Attend(Attendant attendant, Calls calls);
  void Leave(const std::string& agent_id, Lease lease);
  // Where the output of a task goes. NOT_FOUND.
  struct Place {
    std::shared_ptr<TaskQueue> queue;
    size_t agent = 0;
  };
  absl::StatusOr<Place> Find(uint64_t task_id, const std::string& agent_id) const;

  // ---- operators ----

  // By agent id.
  std::vector<Attendant> attendants() const;
  struct Assignment {
    std::string agent_id;
    google::protobuf::Any task;
  };
  // The end of one that does not attend, or does not know the task, comes at once.
  // RESOURCE_EXHAUSTED: too many runs; UNAVAILABLE after Close().
  absl::StatusOr<std::unique_ptr<TaskRun>> Start(const std::vector<Assignment>& assignments,
                                                 absl::Duration limit);

  // Ends the calls of agents and gives up all runs; nothing begins any more.
  void Close();

 private:
  friend class TaskRun;
  struct Attending {
    Attendant attendant;
    Calls calls;
    Lease lease = 0;
  };
  struct Task {
    std::string agent_id;
    Place place;
  };
  void Forget(const TaskRun& run);
  uint64_t NewTask(const std::string& agent_id, Place place) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  mutable absl::Mutex mu_;
  std::map<std::string, Attending> attending_ ABSL_GUARDED_BY(mu_);
  std::map<uint64_t, Task> tasks_ ABSL_GUARDED_BY(mu_);
  size_t runs_ ABSL_GUARDED_BY(mu_) = 0;
  Lease last_lease_ ABSL_GUARDED_BY(mu_) = 0;
  bool closed_ ABSL_GUARDED_BY(mu_) = false;
  // So that no agent can guess another's task.
  std::random_device random_ ABSL_GUARDED_BY(mu_);
};

}  // namespace kindling::controller
