#include "agent/connections/capture_requests.h"

#include <algorithm>
#include <utility>

namespace kindling::agent {

absl::Status CaptureRequests::Ask(std::function<void()> request, absl::Duration patience) {
  const auto entry = std::make_shared<Entry>(Entry{.request = std::move(request)});
  absl::MutexLock lock(&mu_);
  if (closed_) return absl::UnavailableError("the agent is ending");
  if (waiting_.size() >= kMaxWaiting) {
    return absl::ResourceExhaustedError("too much is asked of the agent at once");
  }
  waiting_.push_back(entry);
  has_some_.store(true, std::memory_order_release);
  const auto has_begun = [&entry] { return entry->state != State::kWaiting; };
  mu_.AwaitWithTimeout(absl::Condition(&has_begun), patience);
  if (!has_begun()) {
    std::erase(waiting_, entry);
    return absl::DeadlineExceededError("the agent is too busy to answer");
  }
  const auto has_ended = [&entry] { return entry->state >= State::kDone; };
  mu_.Await(absl::Condition(&has_ended));
  return entry->state == State::kDone ? absl::OkStatus()
                                      : absl::UnavailableError("the agent is ending");
}

void CaptureRequests::ServeAll() {
  while (true) {
    std::shared_ptr<Entry> entry;
    {
      absl::MutexLock lock(&mu_);
      if (waiting_.empty()) {
        has_some_.store(false, std::memory_order_release);
        return;
      }
      entry = std::move(waiting_.front());
      waiting_.pop_front();
      entry->state = State::kRunning;
    }
    entry->request();
    absl::MutexLock lock(&mu_);
    entry->state = State::kDone;
  }
}

void CaptureRequests::Close() {
  absl::MutexLock lock(&mu_);
  closed_ = true;
  for (const auto& entry : waiting_) entry->state = State::kRefused;
  waiting_.clear();
}

}  // namespace kindling::agent
