#include "controller/admin/long_operations.h"

#include <glog/logging.h>

#include <utility>

#include "absl/strings/str_format.h"
#include "absl/time/time.h"

namespace kindling::controller {

LongOperations::LongOperations(const base::Clock& clock)
    : clock_(clock), thread_([this] { Run(); }) {}

LongOperations::~LongOperations() {
  {
    absl::MutexLock lock(&mu_);
    stopping_ = true;
    if (state_.running) LOG(INFO) << "waiting for the " << state_.running->name << " to end";
  }
  thread_.join();
}

absl::Status LongOperations::Start(std::string name, std::string directory,
                                   std::function<absl::Status()> work,
                                   std::function<void(const absl::Status&)> done) {
  absl::MutexLock lock(&mu_);
  if (stopping_) return absl::UnavailableError("the controller is shutting down");
  if (state_.running) {
    const Operation& running = *state_.running;
    return absl::FailedPreconditionError(absl::StrFormat(
        "a %s%s runs since %s: try again when it has ended", running.name,
        running.directory.empty() ? "" : " to " + running.directory,
        absl::FormatTime("%H:%M:%S", absl::FromUnixNanos(running.started_ns), absl::UTCTimeZone()) +
            " UTC"));
  }
  state_.running = {
      .name = std::move(name), .directory = std::move(directory), .started_ns = clock_.WallNs()};
  work_ = std::move(work);
  done_ = std::move(done);
  return absl::OkStatus();
}

void LongOperations::SetProgress(uint64_t done, uint64_t total) {
  absl::MutexLock lock(&mu_);
  if (!state_.running) return;
  state_.running->done = done;
  state_.running->total = total;
}

LongOperations::State LongOperations::state() const {
  absl::MutexLock lock(&mu_);
  return state_;
}

void LongOperations::Run() {
  for (;;) {
    std::function<absl::Status()> work;
    std::function<void(const absl::Status&)> done;
    {
      absl::MutexLock lock(&mu_);
      mu_.Await(absl::Condition(this, &LongOperations::HasWork));
      if (work_ == nullptr) return;  // only when stopping
      work = std::exchange(work_, nullptr);
      done = std::exchange(done_, nullptr);
    }
    const absl::Status status = work();
    {
      absl::MutexLock lock(&mu_);
      state_.last = std::exchange(state_.running, std::nullopt);
      state_.last->ended_ns = clock_.WallNs();
      state_.last->status = status;
      if (status.ok()) {
        LOG(INFO) << "store: the " << state_.last->name << " has ended";
      } else {
        LOG(ERROR) << "store: " << state_.last->name << ": " << status;
      }
    }
    done(status);
  }
}

}  // namespace kindling::controller
