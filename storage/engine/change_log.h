#pragma once

#include <cstdint>
#include <map>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace kindling::storage {

// When records of which time last came or went, so that what was made of them can be kept until
// then.
//
// Threads: safe from any.
// Limits:  tells kMaxMinutes minutes apart; all older ones count as one.
class ChangeLog {
 public:
  static constexpr size_t kMaxMinutes = 10'080;

  // Records of first_ns .. last_ns have changed.
  void Note(int64_t first_ns, int64_t last_ns);
  // Records of any time have.
  void NoteAll();

  // A number that has grown if anything in start_ns .. end_ns has changed since it was last asked
  // for, and perhaps if not.
  uint64_t LastIn(int64_t start_ns, int64_t end_ns) const;

 private:
  mutable absl::Mutex mu_;
  uint64_t count_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t of_all_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t of_older_ ABSL_GUARDED_BY(mu_) = 0;                // before the first minute below
  std::map<int64_t, uint64_t> minutes_ ABSL_GUARDED_BY(mu_);  // by start
};

}  // namespace kindling::storage
