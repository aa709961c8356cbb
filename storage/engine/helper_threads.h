#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace kindling::storage {

// Threads that help whoever asks with work that comes in independent pieces of about a millisecond.
// A caller does its pieces itself, too, and never waits for another's.
//
// Threads:  safe from any.
// Lifetime: must outlive every Run.
class HelperThreads {
 public:
  explicit HelperThreads(size_t threads);
  ~HelperThreads();
  HelperThreads(const HelperThreads&) = delete;
  HelperThreads& operator=(const HelperThreads&) = delete;

  size_t size() const { return threads_.size(); }

  // Calls piece(0) to piece(count - 1), each once and on any thread, and returns after the last.
  void Run(size_t count, const std::function<void(size_t)>& piece);

 private:
  struct Job {
    const std::function<void(size_t)>* piece = nullptr;
    size_t count = 0;
    size_t next = 0;  // to be begun
    size_t done = 0;
  };
  void Help();
  bool HasWork() const ABSL_SHARED_LOCKS_REQUIRED(mu_) { return stop_ || !jobs_.empty(); }
  // Does a piece of the job. REQUIRES: one has not been begun.
  void DoOne(Job& job) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  absl::Mutex mu_;
  std::deque<Job*> jobs_ ABSL_GUARDED_BY(mu_);  // that have pieces to be begun
  bool stop_ ABSL_GUARDED_BY(mu_) = false;
  std::vector<std::thread> threads_;
};

}  // namespace kindling::storage
