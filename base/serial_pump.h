#pragma once

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace kindling::base {

// Makes the calls that a state asks for, one thread at a time and without a lock, where the calls
// may come back at once: who finds it running leaves the rest to that run.
//
// Threads: safe from any.
class SerialPump {
 public:
  // Calls `step`, and once more for each Run() that came meanwhile. What `step` uses must live
  // until this returns.
  template <typename Step>
  void Run(const Step& step) {
    if (!Begin()) return;
    do {
      step();
    } while (GoesOn());
  }

 private:
  bool Begin() {
    absl::MutexLock lock(&mu_);
    again_ = true;
    if (running_) return false;
    running_ = true;
    again_ = false;
    return true;
  }
  bool GoesOn() {
    absl::MutexLock lock(&mu_);
    running_ = again_;
    again_ = false;
    return running_;
  }

  absl::Mutex mu_;
  bool running_ ABSL_GUARDED_BY(mu_) = false;
  bool again_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace kindling::base
