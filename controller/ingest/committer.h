#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "model/records.h"

namespace kindling::storage {
class Store;
}

namespace kindling::controller {

// Group commit: gathers the batches of all streams and makes them durable together, with one synced
// write for as many as arrived meanwhile.
//
// Threads:  Submit from any; one thread of its own calls the store and the callbacks.
// Lifetime: `store` must outlive this. The destructor commits what was submitted.
// Failure:  what the store says of a group holds for each of its batches, but for a batch that the
//           store finds malformed: that one alone gets INTERNAL, the others are stored.
// Limits:   holds at most `max_pending_bytes` of batches as they are in memory; further ones are
//           refused. Who asks HasRoom() before it reads a batch is not.
class Committer {
 public:
  struct Options {
    size_t max_pending_bytes = 256 << 20;
    // Streams should read on only while less than this is pending. Batches that are being decoded
    // then still come.
    size_t pause_bytes = 64 << 20;
    size_t max_group_bytes = 32 << 20;
    // How long a first batch waits for others.
    absl::Duration gather = absl::Milliseconds(3);
  };
  struct Counters {
    uint64_t batches = 0;
    uint64_t groups = 0;
    uint64_t failed_groups = 0;
    uint64_t malformed = 0;  // batches that the store would not take
    uint64_t refused = 0;
    size_t pending_bytes = 0;
  };
  // Called once with the batch's fate, on the committer's thread; must not block.
  using Done = std::function<void(const absl::Status&)>;

  Committer(storage::Store& store, Options options);
  ~Committer();
  Committer(const Committer&) = delete;
  Committer& operator=(const Committer&) = delete;

  // One stream's batches. After one of them has failed the later ones fail too: were they stored,
  // the sequence would say that the failed one is durable.
  struct Lane {
    bool failed = false;  // committer's thread only
  };

  // Batches are committed in the order they are submitted in. `bytes` is what the batch weighs, see
  // MemoryBytes. RESOURCE_EXHAUSTED: too much is pending; `done` is not called then.
  absl::Status Submit(std::shared_ptr<Lane> lane, model::Batch batch, size_t bytes, Done done);

  // Whether another batch should be read. If not, `again` is called once there is room, on the
  // committer's thread; it must not block.
  bool HasRoom(std::function<void()> again);

  Counters counters() const;

 private:
  struct Item {
    std::shared_ptr<Lane> lane;
    std::shared_ptr<const model::Batch> batch;  // the store keeps it until it is in blocks
    size_t bytes;
    Done done;
  };

  void Run();
  void Commit(std::vector<Item> group);
  absl::Status Append(const std::vector<std::shared_ptr<const model::Batch>>& batches);
  void AppendApart(std::vector<Item>& group, const absl::Status& together);
  static void Tell(Item& item, const absl::Status& status);
  // Lets some of those go on who wait for room: as many as there is likely to be room for.
  void WakeWaiting();
  std::vector<Item> TakeGroup() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool HasWork() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return !queue_.empty() || stopping_; }
  bool GroupIsFull() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return stopping_ || counters_.pending_bytes >= options_.max_group_bytes;
  }

  storage::Store& store_;
  const Options options_;
  mutable absl::Mutex mu_;
  std::deque<Item> queue_ ABSL_GUARDED_BY(mu_);
  std::deque<std::function<void()>> waiting_ ABSL_GUARDED_BY(mu_);  // for room
  Counters counters_ ABSL_GUARDED_BY(mu_);
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  std::thread thread_;
};

}  // namespace kindling::controller
