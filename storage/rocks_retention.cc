#include "storage/rocks_retention.h"

#include <glog/logging.h>
#include <rocksdb/convenience.h>
#include <rocksdb/db.h>
#include <rocksdb/write_batch.h>

#include <algorithm>
#include <memory>
#include <string>

#include "absl/time/time.h"
#include "base/status_macros.h"
#include "storage/rocks_scan.h"
#include "storage/rocks_status.h"

namespace kindling::storage {
namespace {

std::unique_ptr<rocksdb::Iterator> NewIterator(rocksdb::DB& db) {
  rocksdb::ReadOptions options;
  options.fill_cache = false;
  return std::unique_ptr<rocksdb::Iterator>(db.NewIterator(options));
}

}  // namespace

absl::StatusOr<std::vector<BlockSpace>> BlockSpaces(rocksdb::DB& db) {
  std::vector<BlockSpace> out;
  const auto iterator = NewIterator(db);
  const std::string end(1, static_cast<char>(kBlockTables[std::size(kBlockTables) - 1]) + 1);
  iterator->Seek(std::string(1, static_cast<char>(kBlockTables[0])));
  while (iterator->Valid() && iterator->key().ToStringView() < end) {
    const std::optional<BlockKey> key = BlockKey::Parse(iterator->key().ToStringView());
    if (!key) {
      iterator->Next();
      continue;
    }
    out.push_back(key->space);
    iterator->Seek(PrefixEnd(key->space.Encode()));
  }
  RETURN_IF_ERROR(FromRocks(iterator->status(), "read the store"));
  return out;
}

absl::StatusOr<std::optional<OldestBlock>> FindOldest(rocksdb::DB& db) {
  ASSIGN_OR_RETURN(const std::vector<BlockSpace> spaces, BlockSpaces(db));
  std::optional<OldestBlock> oldest;
  const auto iterator = NewIterator(db);
  for (const BlockSpace& space : spaces) {
    // Within a bucket keys go by their first record.
    iterator->Seek(space.Encode());
    if (!iterator->Valid()) continue;
    const std::optional<BlockKey> key = BlockKey::Parse(iterator->key().ToStringView());
    if (!key || key->space != space) continue;
    if (!oldest || key->bucket_start_ns < oldest->bucket_start_ns) {
      oldest = {key->bucket_start_ns,
                oldest ? std::min(oldest->first_ns, key->first_ns) : key->first_ns};
    } else {
      oldest->first_ns = std::min(oldest->first_ns, key->first_ns);
    }
  }
  RETURN_IF_ERROR(FromRocks(iterator->status(), "read the store"));
  return oldest;
}

absl::Status DropBucketsBefore(rocksdb::DB& db, int64_t before_ns, const RetentionWrite& write) {
  ASSIGN_OR_RETURN(const std::vector<BlockSpace> spaces, BlockSpaces(db));
  for (const BlockSpace& space : spaces) {
    const std::string begin = space.Encode();
    const std::string end = space.BucketStart(before_ns);
    const rocksdb::Slice begin_slice(begin);
    const rocksdb::Slice end_slice(end);
    {
      const auto iterator = NewIterator(db);
      iterator->Seek(begin);
      if (!iterator->Valid() || iterator->key().ToStringView() >= end) continue;
    }
    // Whole files at once; then what is left of the range; then give its room back.
    RETURN_IF_ERROR(FromRocks(
        rocksdb::DeleteFilesInRange(&db, db.DefaultColumnFamily(), &begin_slice, &end_slice, false),
        "drop old buckets"));
    rocksdb::WriteBatch drop;
    drop.DeleteRange(begin, end);
    RETURN_IF_ERROR(write(drop, /*flush=*/true));
    rocksdb::CompactRangeOptions compact;
    compact.exclusive_manual_compaction = false;
    RETURN_IF_ERROR(
        FromRocks(db.CompactRange(compact, &begin_slice, &end_slice), "compact old buckets"));
  }
  return absl::OkStatus();
}

absl::Status DropOldBuckets(rocksdb::DB& db, int64_t horizon_ns, uint64_t max_bytes,
                            const std::function<uint64_t()>& bytes_on_disk,
                            const RetentionWrite& write) {
  // A bucket is wholly older when it ends before the horizon, whatever its length.
  if (horizon_ns > INT64_MIN + kLongestBucketNs) {
    RETURN_IF_ERROR(DropBucketsBefore(db, horizon_ns - kLongestBucketNs, write));
  }
  // Data in memory cannot be dropped by files; what is left of the write-ahead log goes with it.
  bool flushed = false;
  while (bytes_on_disk() > max_bytes) {
    if (!flushed) {
      rocksdb::WriteBatch nothing;
      RETURN_IF_ERROR(write(nothing, /*flush=*/true));
      flushed = true;
      continue;
    }
    ASSIGN_OR_RETURN(const std::optional<OldestBlock> oldest, FindOldest(db));
    if (!oldest) break;
    LOG(INFO) << "store is larger than " << max_bytes << " bytes: dropping records from "
              << absl::FormatTime(absl::FromUnixNanos(oldest->bucket_start_ns));
    RETURN_IF_ERROR(DropBucketsBefore(db, oldest->bucket_start_ns + 1, write));
  }
  return absl::OkStatus();
}

absl::Status DropOldAddresses(rocksdb::DB& db, int64_t horizon_ns, size_t max_rows,
                              const RetentionWrite& write) {
  const std::string begin(1, static_cast<char>(Table::kAddresses));
  rocksdb::WriteBatch drop;
  std::vector<std::pair<int64_t, std::string>> kept;
  AddressKey before;
  std::string before_bytes;
  const auto iterator = NewIterator(db);
  for (iterator->Seek(begin); iterator->Valid() && iterator->key().starts_with(begin);
       iterator->Next()) {
    const std::optional<AddressKey> key = AddressKey::Parse(iterator->key().ToStringView());
    if (!key) continue;
    AddressKey same = before;
    same.first_ns = key->first_ns;
    if (!before_bytes.empty() && same == *key && key->first_ns <= horizon_ns) {
      drop.Delete(before_bytes);
      if (!kept.empty()) kept.pop_back();
    }
    before = *key;
    before_bytes = iterator->key().ToString();
    kept.emplace_back(key->first_ns, before_bytes);
  }
  RETURN_IF_ERROR(FromRocks(iterator->status(), "read the store"));
  if (kept.size() > max_rows) {
    const auto excess = kept.begin() + static_cast<ptrdiff_t>(kept.size() - max_rows);
    std::nth_element(kept.begin(), excess, kept.end());
    for (auto it = kept.begin(); it != excess; ++it) drop.Delete(it->second);
  }
  if (drop.Count() == 0) return absl::OkStatus();
  return write(drop, /*flush=*/false);
}

}  // namespace kindling::storage
