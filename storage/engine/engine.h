#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "storage/engine/address_rows.h"
#include "storage/engine/change_log.h"
#include "storage/engine/database.h"
#include "storage/engine/merger.h"
#include "storage/engine/sealer.h"
#include "storage/engine/view.h"
#include "storage/rocks_store_options.h"
#include "storage/series_limiter.h"
#include "storage/store.h"

namespace rocksdb {
class Status;
class WriteBatch;
}  // namespace rocksdb

namespace kindling::storage {

// The state of an open store and everything that changes it. Queries take a Reading of it.
//
// Threads: safe from any. One append at a time; one seal, merge or retention at a time commits, and
//          appends go on beside it.
// Failure: after a failed write nothing is written until Recover has opened the database anew.
//          While it cannot be opened even for reading, everything is UNAVAILABLE.
class Engine {
 public:
  // Of the key space and the values as a whole. 1 to 3 were before the first release, and are not
  // read.
  static constexpr int kFormat = 4;

  explicit Engine(const RocksStoreOptions& options);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // Opens the database, makes a new store if there is none.
  absl::Status Open();

  absl::Status Append(const std::vector<Store::BatchPtr>& batches);

  // Seals what there is a block's worth of, and what arrived before `before_ns` (monotonic). True
  // when something was sealed.
  absl::StatusOr<bool> SealSome(int64_t before_ns);
  // Merges small blocks once. True when something was merged.
  absl::StatusOr<bool> MergeSome(int64_t quiet_before_ns);
  // Has RocksDB remove what merging left behind, in the bucket where that is most. True when it
  // did.
  absl::StatusOr<bool> TidySome();
  absl::Status Retain(int64_t now_ns);
  // What a clean shutdown leaves in files rather than in the log.
  void Flush();
  // Has RocksDB compact every family.
  absl::Status CompactAll();
  absl::Status Checkpoint(const std::string& directory);

  // The database and a view of it, held in place while this lives. Neither may be used unless
  // status() is OK: the database cannot be read, or not now.
  class Reading {
   public:
    explicit Reading(Engine& engine) ABSL_NO_THREAD_SAFETY_ANALYSIS;
    ~Reading() ABSL_NO_THREAD_SAFETY_ANALYSIS;
    Reading(const Reading&) = delete;
    Reading& operator=(const Reading&) = delete;
    const absl::Status& status() const { return status_; }
    rocksdb::DB& db() const;
    const View& view() const { return *view_; }

   private:
    Engine& engine_;
    absl::Status status_;
    std::shared_ptr<const View> view_;
  };

  const RocksStoreOptions& options() const { return options_; }
  const DatabaseResources& resources() const { return resources_; }
  const std::string& id() const { return id_; }
  const ChangeLog& changes() const { return changes_; }
  uint64_t late_refused() const { return late_refused_; }
  uint64_t unsealed_memory_bytes() const {
    absl::MutexLock lock(&view_mu_);
    return unsealed_bytes_;
  }
  // Empty while appends are taken.
  std::string stopped() const;
  // True from a failed write until the database has been opened anew.
  bool WriteFailed() const;
  // Blocks until there is likely something to seal, `timeout` has passed or `stop` is set.
  void WaitForWork(absl::Duration timeout, const std::atomic<bool>& stop);
  void WakeUp();

 private:
  // Rows of other classes than spans that make a seal worth while, three blocks of them. The same
  // series come again in every window, and several windows at once make fewer rows of minutes and
  // hours.
  static constexpr uint64_t kOtherRowsAtOnce = 98'304;

  // OK while there is a database.
  absl::Status Usable() const ABSL_SHARED_LOCKS_REQUIRED(db_mu_);
  absl::Status Initialise() ABSL_EXCLUSIVE_LOCKS_REQUIRED(append_mu_, db_mu_);
  // Takes over what the database holds.
  absl::Status Load() ABSL_EXCLUSIVE_LOCKS_REQUIRED(append_mu_, db_mu_);
  // Drops the buckets whose end was written down as dropped, but no more.
  void DropLeftOver(View& view) ABSL_SHARED_LOCKS_REQUIRED(db_mu_);
  void LoadAddresses() ABSL_EXCLUSIVE_LOCKS_REQUIRED(append_mu_) ABSL_SHARED_LOCKS_REQUIRED(db_mu_);
  // Makes writing possible again after a failure. As long as that fails the database is open for
  // reading, or not at all, and it is tried again after a while.
  absl::Status Recover() ABSL_EXCLUSIVE_LOCKS_REQUIRED(append_mu_) ABSL_LOCKS_EXCLUDED(db_mu_);
  absl::Status Reopen() ABSL_EXCLUSIVE_LOCKS_REQUIRED(append_mu_) ABSL_LOCKS_EXCLUDED(db_mu_);
  absl::Status OpenAndLoad(bool read_only) ABSL_EXCLUSIVE_LOCKS_REQUIRED(append_mu_, db_mu_);
  // Forbids all writes, with the reason.
  void StopWriting(const absl::Status& cause) ABSL_LOCKS_EXCLUDED(write_mu_);
  // The only way to write. The failure of one write forbids all others.
  absl::Status Write(rocksdb::WriteBatch& write, bool sync) ABSL_SHARED_LOCKS_REQUIRED(db_mu_);
  // Runs what writes to the disk unless an earlier one failed; notes a failure.
  absl::Status Written(absl::FunctionRef<rocksdb::Status()> operation)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(write_mu_) ABSL_SHARED_LOCKS_REQUIRED(db_mu_);
  absl::Status CompactFamily(const Family& family) ABSL_SHARED_LOCKS_REQUIRED(db_mu_);
  // Once, when it turns out that the bucket is damaged.
  absl::Status CompactBucket(const Bucket& bucket) ABSL_SHARED_LOCKS_REQUIRED(db_mu_);
  absl::Status WaitForRoom() ABSL_EXCLUSIVE_LOCKS_REQUIRED(append_mu_);

  std::shared_ptr<const View> view() const;
  void ChangeView(absl::FunctionRef<void(View&)> change);
  // After a commit: what is read from now on includes it.
  void TakeSnapshot(View& view) ABSL_SHARED_LOCKS_REQUIRED(db_mu_);

  // Tells the limiter of the series that a bucket already holds.
  void SeedSeries(const View& view, const Space& space, int64_t bucket_ns, SeriesLimiter& limiter)
      ABSL_SHARED_LOCKS_REQUIRED(db_mu_);
  absl::StatusOr<std::shared_ptr<const Bucket>> BucketFor(const View& view, Tier tier,
                                                          int64_t start_ns)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(commit_mu_) ABSL_SHARED_LOCKS_REQUIRED(db_mu_);
  absl::Status CommitSeal(const std::vector<UnsealedBatch>& batches, BucketWrites writes)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(commit_mu_) ABSL_SHARED_LOCKS_REQUIRED(db_mu_);
  absl::Status CommitMerge(const Merge& merge, MergeWrite write)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(commit_mu_) ABSL_SHARED_LOCKS_REQUIRED(db_mu_);
  absl::Status Drop(const std::vector<BucketId>& ids,
                    const std::vector<std::pair<Tier, int64_t>>& before)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(commit_mu_) ABSL_SHARED_LOCKS_REQUIRED(db_mu_);
  absl::Status DropBySize() ABSL_EXCLUSIVE_LOCKS_REQUIRED(commit_mu_)
      ABSL_SHARED_LOCKS_REQUIRED(db_mu_);
  uint64_t FileBytes(const Bucket& bucket) ABSL_SHARED_LOCKS_REQUIRED(db_mu_);
  absl::Status FlushFamilies() ABSL_SHARED_LOCKS_REQUIRED(db_mu_);

  void Point(std::string_view name) const {
    if (options_.testing.failpoint) options_.testing.failpoint(name);
  }
  const TierOptions& TierOf(Tier tier) const;

  const RocksStoreOptions options_;
  const DatabaseResources resources_;
  const uint64_t part_bytes_;  // a bucket that holds more goes on in a further part
  const uint64_t unsealed_limit_bytes_;
  std::string id_;

  // Taken in this order.
  absl::Mutex append_mu_;  // one append at a time
  absl::Mutex seal_mu_;    // one seal is prepared at a time
  SeriesLimiter limiter_ ABSL_GUARDED_BY(seal_mu_);
  absl::Mutex merge_mu_;  // one merge is prepared at a time
  // Shared while the database is in use, exclusive while it is replaced.
  mutable absl::Mutex db_mu_;
  absl::Mutex commit_mu_;         // blocks and buckets change one commit at a time
  mutable absl::Mutex write_mu_;  // one write at a time
  mutable absl::Mutex view_mu_;

  std::unique_ptr<Database> database_ ABSL_GUARDED_BY(db_mu_);  // null: it cannot be opened
  std::string unreadable_ ABSL_GUARDED_BY(db_mu_);              // why there is none
  absl::Status reopened_ ABSL_GUARDED_BY(append_mu_);           // of the last attempt
  int64_t reopen_pause_ns_ ABSL_GUARDED_BY(append_mu_) = 0;
  int64_t reopen_after_ns_ ABSL_GUARDED_BY(append_mu_) = INT64_MIN;  // time of day
  LatestAddresses latest_ ABSL_GUARDED_BY(append_mu_);
  bool write_failed_ ABSL_GUARDED_BY(write_mu_) = false;
  std::string stopped_ ABSL_GUARDED_BY(write_mu_);
  std::shared_ptr<const View> view_ ABSL_GUARDED_BY(view_mu_);
  uint64_t unsealed_bytes_ ABSL_GUARDED_BY(view_mu_) = 0;
  uint64_t unsealed_spans_ ABSL_GUARDED_BY(view_mu_) = 0;
  uint64_t unsealed_rows_ ABSL_GUARDED_BY(view_mu_) = 0;  // of all other classes
  uint64_t seals_ ABSL_GUARDED_BY(view_mu_) = 0;
  bool woken_ ABSL_GUARDED_BY(view_mu_) = false;
  std::set<BucketId> untidy_ ABSL_GUARDED_BY(view_mu_);  // cannot be compacted
  std::atomic<uint64_t> next_number_{1};
  uint64_t next_arrival_ ABSL_GUARDED_BY(append_mu_) = 1;
  std::atomic<uint64_t> late_refused_{0};
  ChangeLog changes_;
};

}  // namespace kindling::storage
