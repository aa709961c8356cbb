#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "base/clock.h"

namespace kindling::controller {

// Operations that take minutes, one at a time, so that they take no thread and no disk from what
// answers questions.
//
// Threads:  safe from any; the work runs on one thread of its own.
// Lifetime: `clock` must outlive this. The destructor waits for what runs.
class LongOperations {
 public:
  struct Operation {
    std::string name;       // "backup"
    std::string directory;  // it writes to; may be empty
    int64_t started_ns = 0;
    int64_t ended_ns = 0;  // 0: it runs
    absl::Status status;   // of one that has ended
    // How far it is, in steps of any kind; 0: it does not say.
    uint64_t done = 0;
    uint64_t total = 0;
  };
  struct State {
    std::optional<Operation> running;
    std::optional<Operation> last;  // that ended
  };

  explicit LongOperations(const base::Clock& clock);
  ~LongOperations();
  LongOperations(const LongOperations&) = delete;
  LongOperations& operator=(const LongOperations&) = delete;

  // Has `work` done, and `done` called with its status once another operation may start.
  // FAILED_PRECONDITION: another runs; neither is called then.
  absl::Status Start(std::string name, std::string directory, std::function<absl::Status()> work,
                     std::function<void(const absl::Status&)> done);

  // From the work that runs.
  void SetProgress(uint64_t done, uint64_t total);

  State state() const;

 private:
  void Run();
  bool HasWork() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return work_ != nullptr || stopping_; }

  const base::Clock& clock_;
  mutable absl::Mutex mu_;
  State state_ ABSL_GUARDED_BY(mu_);
  std::function<absl::Status()> work_ ABSL_GUARDED_BY(mu_);
  std::function<void(const absl::Status&)> done_ ABSL_GUARDED_BY(mu_);
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  std::thread thread_;
};

}  // namespace kindling::controller
