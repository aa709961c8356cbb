#include "controller/ingest/committer.h"

#include <glog/logging.h>

#include <utility>

#include "storage/store.h"

namespace kindling::controller {

Committer::Committer(storage::Store& store, Options options)
    : store_(store), options_(options), thread_([this] { Run(); }) {}

Committer::~Committer() {
  {
    absl::MutexLock lock(&mu_);
    stopping_ = true;
  }
  thread_.join();
}

absl::Status Committer::Submit(std::shared_ptr<Lane> lane, model::Batch batch, size_t bytes,
                               Done done) {
  absl::MutexLock lock(&mu_);
  if (stopping_) return absl::UnavailableError("the controller is shutting down");
  if (counters_.pending_bytes + bytes > options_.max_pending_bytes) {
    ++counters_.refused;
    return absl::ResourceExhaustedError("the store is behind: try again later");
  }
  counters_.pending_bytes += bytes;
  queue_.push_back({std::move(lane), std::move(batch), bytes, std::move(done)});
  return absl::OkStatus();
}

Committer::Counters Committer::counters() const {
  absl::MutexLock lock(&mu_);
  return counters_;
}

std::vector<Committer::Item> Committer::TakeGroup() {
  std::vector<Item> group;
  size_t bytes = 0;
  while (!queue_.empty() && bytes < options_.max_group_bytes) {
    bytes += queue_.front().bytes;
    group.push_back(std::move(queue_.front()));
    queue_.pop_front();
  }
  return group;
}

void Committer::Run() {
  for (;;) {
    std::vector<Item> group;
    {
      absl::MutexLock lock(&mu_);
      mu_.Await(absl::Condition(this, &Committer::HasWork));
      mu_.AwaitWithTimeout(absl::Condition(this, &Committer::GroupIsFull), options_.gather);
      group = TakeGroup();
      if (group.empty()) return;  // only when stopping
    }
    Commit(std::move(group));
  }
}

void Committer::Commit(std::vector<Item> group) {
  std::vector<model::Batch> batches;
  batches.reserve(group.size());
  size_t bytes = 0;
  for (Item& item : group) {
    bytes += item.bytes;
    if (!item.lane->failed) batches.push_back(std::move(item.batch));
  }
  const absl::Status status = batches.empty() ? absl::OkStatus() : store_.Append(batches);
  if (!status.ok()) {
    LOG_EVERY_N(ERROR, 100) << "store: " << status;
  }
  {
    absl::MutexLock lock(&mu_);
    counters_.pending_bytes -= bytes;
    counters_.batches += status.ok() ? batches.size() : 0;
    ++(status.ok() ? counters_.groups : counters_.failed_groups);
  }
  for (Item& item : group) {
    if (item.lane->failed) {
      item.done(absl::AbortedError("an earlier batch of this stream could not be stored"));
      continue;
    }
    item.lane->failed = !status.ok();
    item.done(status);
  }
}

}  // namespace kindling::controller
