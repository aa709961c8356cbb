#include "controller/tasks/task_queue.h"

#include <algorithm>
#include <utility>

namespace kindling::controller {

TaskQueue::TaskQueue(size_t agents, absl::Time open_by) : open_by_(open_by), parts_(agents) {}

bool TaskQueue::Open(size_t agent, std::function<void()> wake) {
  absl::MutexLock lock(&mu_);
  Part& part = parts_[agent];
  if (part.open || part.ended || given_up_) return false;
  part.open = true;
  part.wake = std::move(wake);
  return true;
}

void TaskQueue::Push(size_t agent, google::protobuf::Any output) {
  absl::MutexLock lock(&mu_);
  if (given_up_ || parts_[agent].ended) return;
  parts_[agent].bytes += output.ByteSizeLong();
  events_.push_back({.agent = agent, .output = std::move(output)});
}

void TaskQueue::End(size_t agent, const absl::Status& status) {
  absl::MutexLock lock(&mu_);
  EndLocked(agent, status);
}

void TaskQueue::EndLocked(size_t agent, const absl::Status& status) {
  Part& part = parts_[agent];
  if (part.ended) return;
  part.ended = true;
  part.wake = nullptr;
  if (!given_up_) events_.push_back({.agent = agent, .end = status});
}

TaskQueue::Asks TaskQueue::AsksOf(size_t agent) const {
  absl::MutexLock lock(&mu_);
  return {.room = parts_[agent].bytes < kMaxBytes, .stop = stop_, .given_up = given_up_};
}

std::optional<TaskQueue::Event> TaskQueue::Next(absl::Time deadline) {
  Event event;
  std::function<void()> wake;
  {
    absl::MutexLock lock(&mu_);
    const absl::Time until = AllOpen() ? deadline : std::min(deadline, open_by_);
    mu_.AwaitWithDeadline(absl::Condition(this, &TaskQueue::HasEvent), until);
    if (events_.empty() && !AllOpen() && absl::Now() >= open_by_) {
      for (size_t i = 0; i < parts_.size(); ++i) {
        if (!parts_[i].open) {
          EndLocked(i, absl::DeadlineExceededError("the agent did not answer"));
        }
      }
    }
    if (events_.empty()) return std::nullopt;
    event = std::move(events_.front());
    events_.pop_front();
    if (event.output.has_value()) {
      Part& part = parts_[event.agent];
      const bool was_full = part.bytes >= kMaxBytes;
      part.bytes -= event.output->ByteSizeLong();
      if (was_full && part.bytes < kMaxBytes) wake = part.wake;
    }
  }
  if (wake) wake();
  return event;
}

bool TaskQueue::IsDone() const {
  return events_.empty() && std::ranges::all_of(parts_, &Part::ended);
}

bool TaskQueue::AllOpen() const {
  return std::ranges::all_of(parts_, [](const Part& part) { return part.open || part.ended; });
}

bool TaskQueue::done() const {
  absl::MutexLock lock(&mu_);
  return IsDone() || given_up_;
}

void TaskQueue::Stop() {
  {
    absl::MutexLock lock(&mu_);
    stop_ = true;
  }
  WakeAll();
}

void TaskQueue::GiveUp() {
  {
    absl::MutexLock lock(&mu_);
    given_up_ = true;
    events_.clear();
  }
  WakeAll();
}

void TaskQueue::WakeAll() {
  std::vector<std::function<void()>> wakes;
  {
    absl::MutexLock lock(&mu_);
    for (const Part& part : parts_) {
      if (part.wake) wakes.push_back(part.wake);
    }
  }
  for (const std::function<void()>& wake : wakes) wake();
}

}  // namespace kindling::controller
