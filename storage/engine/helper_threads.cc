#include "storage/engine/helper_threads.h"

namespace kindling::storage {

HelperThreads::HelperThreads(size_t threads) {
  for (size_t i = 0; i < threads; ++i) threads_.emplace_back([this] { Help(); });
}

HelperThreads::~HelperThreads() {
  {
    absl::MutexLock lock(&mu_);
    stop_ = true;
  }
  for (std::thread& thread : threads_) thread.join();
}

void HelperThreads::Run(size_t count, const std::function<void(size_t)>& piece) {
  if (count == 0) return;
  Job job = {.piece = &piece, .count = count};
  absl::MutexLock lock(&mu_);
  jobs_.push_back(&job);
  while (job.next < job.count) DoOne(job);
  const auto is_done = [&job] { return job.done == job.count; };
  mu_.Await(absl::Condition(&is_done));
}

void HelperThreads::DoOne(Job& job) {
  const size_t number = job.next++;
  if (job.next == job.count) std::erase(jobs_, &job);
  mu_.Unlock();
  (*job.piece)(number);
  mu_.Lock();
  ++job.done;
}

void HelperThreads::Help() {
  absl::MutexLock lock(&mu_);
  while (true) {
    mu_.Await(absl::Condition(this, &HelperThreads::HasWork));
    if (stop_) return;
    DoOne(*jobs_.front());
  }
}

}  // namespace kindling::storage
