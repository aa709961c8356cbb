#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "storage/keys.h"

namespace rocksdb {
class DB;
class WriteBatch;
}  // namespace rocksdb

namespace kindling::storage {

// Writes a batch to the database and, if asked to, what is in memory to files. All of retention's
// writes go through it, for after a failed one there must be no other.
using RetentionWrite = std::function<absl::Status(rocksdb::WriteBatch&, bool flush)>;

// Every table, tenant and cluster that has blocks.
absl::StatusOr<std::vector<BlockSpace>> BlockSpaces(rocksdb::DB& db);

struct OldestBlock {
  int64_t bucket_start_ns = 0;
  int64_t first_ns = 0;
};
// nullopt when there is no block.
absl::StatusOr<std::optional<OldestBlock>> FindOldest(rocksdb::DB& db);

// Drops every bucket that begins before `before_ns`, in all tables, and gives its room on disk
// back.
absl::Status DropBucketsBefore(rocksdb::DB& db, int64_t before_ns, const RetentionWrite& write);

// Drops whole buckets, oldest first, until none is wholly older than `horizon_ns` and
// `bytes_on_disk` says at most `max_bytes`.
absl::Status DropOldBuckets(rocksdb::DB& db, int64_t horizon_ns, uint64_t max_bytes,
                            const std::function<uint64_t()>& bytes_on_disk,
                            const RetentionWrite& write);

// Drops the address rows that a later row had replaced by `horizon_ns`, and the oldest rows beyond
// `max_rows`.
absl::Status DropOldAddresses(rocksdb::DB& db, int64_t horizon_ns, size_t max_rows,
                              const RetentionWrite& write);

}  // namespace kindling::storage
