#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

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

// How long the buckets of one record class are and how long they are kept.
struct TierOptions {
  int64_t bucket_ns = 0;
  int64_t max_age_ns = 0;
};

struct RocksStoreOptions {
  // Made when it is missing. One process at a time may have it open.
  std::string directory;
  // Retain drops the oldest buckets when the store is larger.
  uint64_t max_bytes = uint64_t{10} << 30;
  // And those whose records are all older. Roll-ups may be kept longer than what they sum.
  TierOptions spans = {kHourNs, 7 * kDayNs};
  TierOptions series_10s = {kHourNs, 7 * kDayNs};
  TierOptions series_1m = {6 * kHourNs, 30 * kDayNs};
  TierOptions series_1h = {7 * kDayNs, 365 * kDayNs};
  TierOptions events = {6 * kHourNs, 30 * kDayNs};
  // Append is refused when the file system has less room than this: sealing and merging need some.
  uint64_t min_free_bytes = 32 << 20;
  // Caches, write buffers and unsealed batches together.
  uint64_t memory_bytes = uint64_t{1} << 30;
  // Batches are sealed when they are this old, if not before because there are enough of them.
  int64_t seal_after_ns = 60 * kSecondNs;
  // Different series in one bucket of one tenant and cluster; the others share one.
  size_t max_edge_series = 100'000;
  size_t max_series_per_metric = 10'000;
  RocksStoreTesting testing;

  static constexpr int64_t kSecondNs = 1'000'000'000;
  static constexpr int64_t kHourNs = 3600 * kSecondNs;
  static constexpr int64_t kDayNs = 24 * kHourNs;
};

}  // namespace kindling::storage
