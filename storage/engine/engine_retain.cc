// What an engine drops, and when.

#include <glog/logging.h>
#include <rocksdb/db.h>
#include <rocksdb/write_batch.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "base/status_macros.h"
#include "storage/align.h"
#include "storage/engine/engine.h"
#include "storage/engine/retention.h"
#include "storage/engine/rocks_status.h"
#include "storage/engine/room.h"
#include "storage/engine/sequences.h"

namespace kindling::storage {
namespace {

constexpr size_t kMaxAddressRows = 200'000;
// How far records may be ahead of the time of day: clocks differ.
constexpr int64_t kFutureNs = RocksStoreOptions::kDayNs;

}  // namespace

absl::Status Engine::Drop(const std::vector<BucketId>& ids,
                          const std::vector<std::pair<Tier, int64_t>>& before) {
  // What is gone is written down first: should the program end in between, the rest follows at the
  // next start, and late records do not bring a bucket back.
  if (!before.empty()) {
    rocksdb::WriteBatch write;
    for (const auto& [tier, time_ns] : before) {
      write.Put(MetaKey{DroppedBeforeName(tier)}.Encode(), TimeValue(time_ns));
    }
    RETURN_IF_ERROR(Write(write, /*sync=*/true));
  }
  Point("retain:before_drop");
  std::vector<std::shared_ptr<const Bucket>> dropped;
  ChangeView([&](View& view) {
    std::erase_if(view.buckets, [&](const auto& bucket) {
      const bool gone = std::find(ids.begin(), ids.end(), bucket->id) != ids.end();
      if (gone) dropped.push_back(bucket);
      return gone;
    });
    for (const auto& [tier, time_ns] : before) {
      int64_t& dropped_ns = view.dropped_before_ns[static_cast<size_t>(tier)];
      dropped_ns = std::max(dropped_ns, time_ns);
    }
  });
  changes_.NoteAll();
  for (const auto& bucket : dropped) {
    RETURN_IF_ERROR(database_->DropBucket(bucket->id, *bucket->family));
  }
  Point("retain:after_drop");
  return absl::OkStatus();
}

absl::Status Engine::DropBySize() {
  // Room for what is taken and merged until the next time.
  const uint64_t most_bytes = options_.max_bytes - std::min(options_.max_bytes / 2, part_bytes_);
  if (DirectoryBytes(options_.directory) <= most_bytes) return absl::OkStatus();
  // What lies in memory and in the log cannot be dropped by buckets.
  RETURN_IF_ERROR(FlushFamilies());
  const uint64_t bytes = DirectoryBytes(options_.directory);
  // Files may be in use for a moment longer: what is dropped counts as gone.
  uint64_t dropped = 0;
  while (bytes > most_bytes + dropped) {
    const std::shared_ptr<const View> now = view();
    const std::optional<BucketId> oldest = OldestBucket(*now);
    if (!oldest) break;
    for (const auto& bucket : now->buckets) {
      if (bucket->id == *oldest) dropped += FileBytes(*bucket);
    }
    LOG(INFO) << "store is larger than " << most_bytes << " bytes: dropping "
              << oldest->FamilyName();
    std::vector<std::pair<Tier, int64_t>> before;
    if (IsLastPart(*now, *oldest)) before.emplace_back(oldest->tier, oldest->end_ns());
    RETURN_IF_ERROR(Drop({*oldest}, before));
  }
  return absl::OkStatus();
}

uint64_t Engine::FileBytes(const Bucket& bucket) {
  uint64_t bytes = 0;
  database_->db().GetIntProperty(bucket.family->handle(),
                                 rocksdb::DB::Properties::kTotalSstFilesSize, &bytes);
  return bytes;
}

absl::Status Engine::Retain(int64_t now_ns) {
  absl::MutexLock append_lock(&append_mu_);
  RETURN_IF_ERROR(Recover());
  absl::ReaderMutexLock db_lock(&db_mu_);
  int64_t longest_age_ns = 0;
  {
    absl::MutexLock commit_lock(&commit_mu_);
    std::vector<BucketId> old;
    std::vector<std::pair<Tier, int64_t>> before;
    const std::shared_ptr<const View> from = view();
    for (const Tier tier : kTiers) {
      const TierOptions& of = TierOf(tier);
      longest_age_ns = std::max(longest_age_ns, of.max_age_ns);
      const int64_t dropped_ns = from->dropped_before_ns[static_cast<size_t>(tier)];
      const int64_t age_ns =
          AlignDown(now_ns - of.max_age_ns, EffectiveBucketNs(of.bucket_ns, of.max_age_ns));
      const int64_t before_ns = std::max(dropped_ns, age_ns);
      const std::vector<BucketId> gone = BucketsBefore(*from, tier, before_ns);
      if (before_ns > dropped_ns) before.emplace_back(tier, before_ns);
      old.insert(old.end(), gone.begin(), gone.end());
    }
    if (!old.empty() || !before.empty()) RETURN_IF_ERROR(Drop(old, before));
    ChangeView([&](View& view) { view.not_after_ns = now_ns + kFutureNs; });
    RETURN_IF_ERROR(DropBySize());
    database_->Guard();
  }
  rocksdb::WriteBatch drop;
  RETURN_IF_ERROR(
      DropOldAddresses(database_->db(), now_ns - longest_age_ns, kMaxAddressRows, drop));
  RETURN_IF_ERROR(
      DropOldSequences(database_->db(), absl::GetCurrentTimeNanos() - longest_age_ns, drop));
  if (drop.Count() > 0) RETURN_IF_ERROR(Write(drop, /*sync=*/false));
  LoadAddresses();
  return absl::OkStatus();
}

}  // namespace kindling::storage
