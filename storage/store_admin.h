#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace kindling::storage {

// One time bucket of one record class as `kindlingctl store status` shows it.
struct BucketStatus {
  std::string record_class;  // "spans", "series_10s", "series_1m", "series_1h", "events"
  int64_t start_ns = 0;
  int64_t end_ns = 0;
  uint32_t part = 0;  // a bucket that grew large goes on in further parts
  uint64_t blocks = 0;
  uint64_t rows = 0;
  uint64_t bytes = 0;  // on disk
};

struct StoreStatus {
  std::string id;
  int format = 0;
  std::string directory;
  uint64_t bytes = 0;  // on disk, the log included
  uint64_t max_bytes = 0;
  uint64_t free_bytes = 0;  // of the file system
  int64_t oldest_ns = 0;    // 0: empty
  uint64_t unsealed_batches = 0;
  uint64_t unsealed_bytes = 0;
  int64_t oldest_unsealed_ns = 0;  // when the oldest of them arrived; 0: none
  uint64_t late_refused = 0;       // records refused because their bucket was gone
  uint64_t write_stalls = 0;
  double write_stall_seconds = 0;
  uint64_t cache_hits = 0;
  uint64_t cache_misses = 0;
  uint64_t memory_bytes = 0;  // caches, write buffers, unsealed records and the directory of blocks
  uint64_t memory_limit_bytes = 0;
  // Empty: ingest runs. Else why it does not: "the disk is nearly full: ...".
  std::string stopped;
  std::vector<BucketStatus> buckets;  // by class and start
  // What the store knows to be missing or could not read when it was opened; each goes on from "the
  // store could not read ".
  std::vector<std::string> faults;
};

struct VerifyReport {
  uint64_t blocks = 0;
  uint64_t rows = 0;
  uint64_t bytes = 0;
  uint64_t damaged_blocks = 0;
  std::vector<std::string> faults;  // one sentence each, at most 100
};

// How many of the blocks have been read.
using VerifyProgress = std::function<void(uint64_t done, uint64_t total)>;

// What an operator does to a store.
//
// Threads: safe from any; ingest and queries go on beside it.
class StoreAdmin {
 public:
  virtual ~StoreAdmin() = default;

  virtual absl::StatusOr<StoreStatus> GetStatus() = 0;
  // Seals what is unsealed and merges small blocks of every bucket.
  virtual absl::Status Compact() = 0;
  // Writes a consistent copy to `directory`, which must not exist or be empty: all that was
  // acknowledged before the call. The copy has an id of its own once it is opened (see
  // RestoreStore).
  virtual absl::Status Backup(const std::string& directory) = 0;
  // Reads everything and checks it, roll-ups against their parts. `progress` is called now and
  // then.
  virtual absl::StatusOr<VerifyReport> Verify(const VerifyProgress& progress) = 0;
  absl::StatusOr<VerifyReport> Verify() {
    return Verify([](uint64_t, uint64_t) {});
  }
};

}  // namespace kindling::storage
