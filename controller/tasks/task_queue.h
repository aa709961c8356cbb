#pragma once

#include <google/protobuf/any.pb.h>

#include <cstddef>
#include <deque>
#include <functional>
#include <optional>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace kindling::controller {

// Between the streams of a run's agents and whoever reads what they send. An agent is named by its
// place in the run.
//
// Threads: safe from any. `wake` is called without locks.
// Limits:  kMaxBytes of each agent wait here; what more it has waits in its connection, and in the
//          end at the agent.
class TaskQueue {
 public:
  static constexpr size_t kMaxBytes = size_t{4} << 20;

  // An agent that has not opened its part by `open_by` is taken to have failed.
  TaskQueue(size_t agents, absl::Time open_by);

  // ---- an agent's stream ----

  // Once. False: the part has ended, or is open already. `wake` is called when AsksOf() changes.
  bool Open(size_t agent, std::function<void()> wake);
  void Push(size_t agent, google::protobuf::Any output);
  // How the part ended; only the first counts, and `wake` is forgotten.
  void End(size_t agent, const absl::Status& status);
  struct Asks {
    bool room = false;      // for more
    bool stop = false;      // the task should finish
    bool given_up = false;  // nobody reads on
  };
  Asks AsksOf(size_t agent) const;

  // ---- the reader ----

  struct Event {
    size_t agent = 0;
    std::optional<google::protobuf::Any> output;  // nullopt: its part has ended
    absl::Status end;
  };
  // In the order of their coming. nullopt: none came until `deadline`, or done().
  std::optional<Event> Next(absl::Time deadline);
  // Every part has ended and all was read.
  bool done() const;
  void Stop();
  void GiveUp();

 private:
  struct Part {
    std::function<void()> wake;
    size_t bytes = 0;
    bool open = false;
    bool ended = false;
  };
  bool HasEvent() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return !events_.empty() || IsDone() || given_up_;
  }
  bool IsDone() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool AllOpen() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void EndLocked(size_t agent, const absl::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void WakeAll();

  const absl::Time open_by_;
  mutable absl::Mutex mu_;
  std::vector<Part> parts_ ABSL_GUARDED_BY(mu_);
  std::deque<Event> events_ ABSL_GUARDED_BY(mu_);
  bool stop_ ABSL_GUARDED_BY(mu_) = false;
  bool given_up_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace kindling::controller
