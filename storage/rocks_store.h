#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "storage/store.h"

namespace rocksdb {
class FileSystem;
}

namespace kindling::storage {

// What tests put under and into a store; empty in a program.
struct RocksStoreTesting {
  std::shared_ptr<rocksdb::FileSystem> file_system;  // null: the operating system's
  // Called with the name of each point that is passed: "append:before_write".
  std::function<void(std::string_view point)> failpoint;
};

struct RocksStoreOptions {
  // Made when it is missing. One process at a time may have it open.
  std::string directory;
  // Retain drops the oldest buckets beyond these.
  uint64_t max_bytes = uint64_t{10} << 30;
  int64_t max_age_ns = int64_t{7} * 24 * 3600 * 1'000'000'000;
  // Append is refused when the file system has less room than this: compaction needs some.
  uint64_t min_free_bytes = 32 << 20;
  RocksStoreTesting testing;
};

// The Store on RocksDB: one database, keys as drawn in README.md.
//
// Threads: safe from any. Appends run one at a time; scans run beside them.
// Lifetime: every Scan must have returned before the store is destroyed.
// Failure: after a write has failed, nothing is written until there is room again and the database
// has
//          been opened anew; reads go on meanwhile. Errors of opening: FAILED_PRECONDITION the
//          store was written by a newer version, or another process has it open; DATA_LOSS it is
//          damaged; the message is one line and says what to do.
absl::StatusOr<std::unique_ptr<Store>> OpenRocksStore(const RocksStoreOptions& options);

// Length of a time bucket for a byte cap: retention drops whole buckets, so a small store has short
// ones. Divides an hour.
int64_t BucketNsFor(uint64_t max_bytes);

}  // namespace kindling::storage
