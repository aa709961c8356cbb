#include "controller/ingest/committer.h"

#include <glog/logging.h>

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_format.h"
#include "storage/store.h"

namespace kindling::controller {
namespace {

// As an agent sends it; in memory.
constexpr size_t kUsualBatchBytes = 2 << 20;
constexpr absl::Duration kWakeInterval = absl::Milliseconds(5);

}  // namespace

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
  queue_.push_back({std::move(lane), std::make_shared<const model::Batch>(std::move(batch)), bytes,
                    std::move(done)});
  return absl::OkStatus();
}

bool Committer::HasRoom(std::function<void()> again) {
  absl::MutexLock lock(&mu_);
  if (stopping_ || counters_.pending_bytes < options_.pause_bytes) return true;
  waiting_.push_back(std::move(again));
  return false;
}

void Committer::WakeWaiting() {
  std::vector<std::function<void()>> woken;
  {
    absl::MutexLock lock(&mu_);
    for (size_t bytes = counters_.pending_bytes; bytes < options_.pause_bytes && !waiting_.empty();
         bytes += kUsualBatchBytes) {
      woken.push_back(std::move(waiting_.front()));
      waiting_.pop_front();
    }
  }
  for (const std::function<void()>& again : woken) again();
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
    WakeWaiting();
    std::vector<Item> group;
    {
      absl::MutexLock lock(&mu_);
      // Of those that were woken some may have nothing to send: then it is the next ones' turn.
      const bool more = !waiting_.empty() && counters_.pending_bytes < options_.pause_bytes;
      if (!mu_.AwaitWithTimeout(absl::Condition(this, &Committer::HasWork),
                                more ? kWakeInterval : absl::InfiniteDuration())) {
        continue;
      }
      mu_.AwaitWithTimeout(absl::Condition(this, &Committer::GroupIsFull), options_.gather);
      group = TakeGroup();
      if (group.empty()) return;  // only when stopping
    }
    Commit(std::move(group));
  }
}

absl::Status Committer::Append(const std::vector<storage::Store::BatchPtr>& batches) {
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
  std::vector<storage::Store::BatchPtr> batches;
  batches.reserve(group.size());
  size_t bytes = 0;
  for (const Item& item : group) {
    bytes += item.bytes;
    if (!item.lane->failed) batches.push_back(item.batch);
  }
  const absl::Status status = batches.empty() ? absl::OkStatus() : Append(batches);
  {
    absl::MutexLock lock(&mu_);
    counters_.pending_bytes -= bytes;
  }
  if (absl::IsInvalidArgument(status)) return AppendApart(group, status);
  for (Item& item : group) Tell(item, status);
}

// One by one, in order, to find the batch that the store does not take; `together` is what it said
// of all of them.
void Committer::AppendApart(std::vector<Item>& group, const absl::Status& together) {
  const auto is_tried = [](const Item& item) { return !item.lane->failed; };
  const bool is_found = std::count_if(group.begin(), group.end(), is_tried) == 1;
  for (Item& item : group) {
    absl::Status status;
    if (is_tried(item)) status = is_found ? together : Append({item.batch});
    if (absl::IsInvalidArgument(status)) {
      // It passed every check of ours, so that the fault is not the agent's to correct.
      status = absl::InternalError(
          absl::StrFormat("the store does not take batch %d of run %d: %s", item.batch->id.sequence,
                          item.batch->id.boot_epoch, std::string(status.message())));
      absl::MutexLock lock(&mu_);
      ++counters_.malformed;
    }
    Tell(item, status);
  }
}

}  // namespace kindling::controller
