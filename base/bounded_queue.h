#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace kindling::base {

// The one queue between threads: many producers, many consumers.
//
// Threads: safe from any.
// Limits:  holds at most `capacity` items; TryPush on a full queue drops the new item and counts
// it.
template <typename T>
class BoundedQueue {
 public:
  explicit BoundedQueue(size_t capacity) : capacity_(capacity) {}

  // False when the queue is full or closed: the item is dropped and, if full, counted.
  bool TryPush(T item) {
    absl::MutexLock lock(&mu_);
    if (closed_) return false;
    if (items_.size() >= capacity_) {
      ++dropped_;
      return false;
    }
    items_.push_back(std::move(item));
    return true;
  }

  // Waits at most `timeout` for an item; nullopt on time-out, or when closed and empty.
  std::optional<T> Pop(absl::Duration timeout) {
    absl::MutexLock lock(&mu_);
    mu_.AwaitWithTimeout(absl::Condition(this, &BoundedQueue::ReadyLocked), timeout);
    if (items_.empty()) return std::nullopt;
    std::optional<T> item = std::move(items_.front());
    items_.pop_front();
    return item;
  }

  // Wakes consumers; items already queued can still be popped.
  void Close() {
    absl::MutexLock lock(&mu_);
    closed_ = true;
  }

  uint64_t dropped() const {
    absl::MutexLock lock(&mu_);
    return dropped_;
  }
  size_t size() const {
    absl::MutexLock lock(&mu_);
    return items_.size();
  }

 private:
  bool ReadyLocked() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return closed_ || !items_.empty(); }

  const size_t capacity_;
  mutable absl::Mutex mu_;
  std::deque<T> items_ ABSL_GUARDED_BY(mu_);
  uint64_t dropped_ ABSL_GUARDED_BY(mu_) = 0;
  bool closed_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace kindling::base
