#pragma once

#include <atomic>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace kindling::agent {

// What other threads ask of the capture thread, which owns all state and takes no locks while
// nobody asks.
//
// Threads: Ask() from any; Serve() and Close() on the capture thread.
// Limits:  kMaxWaiting requests wait; one more is refused.
class CaptureRequests {
 public:
  static constexpr size_t kMaxWaiting = 8;

  // Has `request` run on the capture thread and waits for it. DEADLINE_EXCEEDED: it has not begun
  // within `patience` and will not; UNAVAILABLE: capture has ended; RESOURCE_EXHAUSTED.
  absl::Status Ask(std::function<void()> request, absl::Duration patience);

  // Runs what waits.
  void Serve() {
    if (has_some_.load(std::memory_order_acquire)) ServeAll();
  }
  // Nothing runs any more.
  void Close();

 private:
  enum class State : uint8_t { kWaiting, kRunning, kDone, kRefused };
  struct Entry {
    std::function<void()> request;
    State state = State::kWaiting;
  };
  void ServeAll();

  std::atomic<bool> has_some_ = false;
  absl::Mutex mu_;
  std::deque<std::shared_ptr<Entry>> waiting_ ABSL_GUARDED_BY(mu_);
  bool closed_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace kindling::agent
