#include "controller/ingest/committer.h"

#include <glog/logging.h>

#include <string>
#include <utility>

#include "absl/strings/str_format.h"
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

absl::Status Committer::Append(const std::vector<model::Batch>& batches) {
  absl::Status status = store_.Append(batches);
  if (!status.ok()) {
    LOG_EVERY_N(ERROR, 100) << "store: " << status;
  }
  absl::MutexLock lock(&mu_);
  counters_.batches += status.ok() ? batches.size() : 0;
  ++(status.ok() ? counters_.groups : counters_.failed_groups);
  return status;
}

void Committer::Tell(Item& item, const absl::Status& status) {
  if (item.lane->failed) {
    return item.done(absl::AbortedError("an earlier batch of this stream could not be stored"));
  }
  item.lane->failed = !status.ok();
  item.done(status);
}

void Committer::Commit(std::vector<Item> group) {
  std::vector<model::Batch> batches;
  batches.reserve(group.size());
  size_t bytes = 0;
  for (Item& item : group) {
    bytes += item.bytes;
    if (!item.lane->failed) batches.push_back(std::move(item.batch));
  }
  const absl::Status status = batches.empty() ? absl::OkStatus() : Append(batches);
  {
    absl::MutexLock lock(&mu_);
    counters_.pending_bytes -= bytes;
  }
  if (absl::IsInvalidArgument(status)) return AppendApart(group, std::move(batches), status);
  for (Item& item : group) Tell(item, status);
}

// One by one, to find the batch that the store does not take. `batches` are those of the items
// whose lanes have not failed, in their order; `together` is what the store said of all of them.
void Committer::AppendApart(std::vector<Item>& group, std::vector<model::Batch> batches,
                            const absl::Status& together) {
  std::vector<bool> was_failed;
  was_failed.reserve(group.size());
  for (const Item& item : group) was_failed.push_back(item.lane->failed);
  const bool is_found = batches.size() == 1;
  size_t next = 0;
  for (size_t i = 0; i < group.size(); ++i) {
    if (was_failed[i]) {
      Tell(group[i], absl::OkStatus());  // says that the lane has failed
      continue;
    }
    std::vector<model::Batch> one;
    one.push_back(std::move(batches[next++]));
    absl::Status status = is_found                ? together
                          : group[i].lane->failed ? absl::OkStatus()
                                                  : Append(one);
    if (absl::IsInvalidArgument(status)) {
      // It passed every check of ours, so that the fault is not the agent's to correct.
      status = absl::InternalError(absl::StrFormat("the store does not take batch %d of run %d: %s",
                                                   one[0].id.sequence, one[0].id.boot_epoch,
                                                   std::string(status.message())));
      absl::MutexLock lock(&mu_);
      ++counters_.malformed;
    }
    Tell(group[i], status);
  }
}

}  // namespace kindling::controller
