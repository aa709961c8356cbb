#pragma once

#include <functional>

#include "absl/status/statusor.h"
#include "storage/store.h"

namespace rocksdb {
class DB;
}

namespace kindling::storage {

// Longest bucket ever written. Scans begin this much before their range, for buckets may have any
// length up to it.
inline constexpr int64_t kLongestBucketNs = int64_t{3600} * 1'000'000'000;
inline constexpr int64_t kShortestBucketNs = int64_t{60} * 1'000'000'000;

// Store::Scan over an open database.
absl::StatusOr<ScanReport> ScanBlocks(rocksdb::DB& db, const ScanPlan& plan,
                                      const std::function<bool(const model::Batch&)>& visit);

}  // namespace kindling::storage
