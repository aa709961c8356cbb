#include "storage/engine/change_log.h"

#include <algorithm>

#include "storage/align.h"

namespace kindling::storage {
namespace {

constexpr int64_t kMinuteNs = 60'000'000'000;
// What changes more than this at once counts as a change of all.
constexpr int64_t kMaxNotedNs = 120 * kMinuteNs;

}  // namespace

void ChangeLog::Note(int64_t first_ns, int64_t last_ns) {
  if (first_ns > last_ns) return;
  // No clock is before 1970 or at the end of time, but a record may say so.
  const bool is_strange = first_ns < 0 || last_ns > INT64_MAX - kMinuteNs;
  if (is_strange || last_ns - first_ns > kMaxNotedNs) return NoteAll();
  absl::MutexLock lock(&mu_);
  ++count_;
  for (int64_t minute = AlignDown(first_ns, kMinuteNs); minute <= last_ns; minute += kMinuteNs) {
    minutes_[minute] = count_;
  }
  while (minutes_.size() > kMaxMinutes) {
    of_older_ = std::max(of_older_, minutes_.begin()->second);
    minutes_.erase(minutes_.begin());
  }
}

void ChangeLog::NoteAll() {
  absl::MutexLock lock(&mu_);
  of_all_ = ++count_;
}

uint64_t ChangeLog::LastIn(int64_t start_ns, int64_t end_ns) const {
  absl::MutexLock lock(&mu_);
  uint64_t last = of_all_;
  if (minutes_.empty() || start_ns < minutes_.begin()->first) last = std::max(last, of_older_);
  for (auto it = minutes_.lower_bound(AlignDown(start_ns, kMinuteNs));
       it != minutes_.end() && it->first <= end_ns; ++it) {
    last = std::max(last, it->second);
  }
  return last;
}

}  // namespace kindling::storage
