#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/engine/view.h"
#include "storage/store.h"

namespace rocksdb {
class DB;
class PinnableSlice;
}  // namespace rocksdb

namespace kindling::storage {

// Gathers what a query could not read.
class Damage {
 public:
  // `what` goes on from "The store could not read ": "a block of spans from ...".
  void Add(std::string what);
  void Add(const Block& block, const absl::Status& status);
  // What is known to be missing of a tier, or of no tier in particular, in a stretch of time; each
  // fault once.
  void AddFaults(const View& view, std::optional<Tier> tier, int64_t start_ns, int64_t end_ns);
  ScanReport Take() { return std::move(report_); }

 private:
  std::vector<const Fault*> told_;
  ScanReport report_;
};

// OK while the answer is wanted.
absl::Status StillWanted(const Cancelled& cancelled);

// Reads one value of a block as it was when `view` was taken.
absl::Status ReadPart(rocksdb::DB& db, const View& view, const Bucket& bucket, const Block& block,
                      BlockPart part, rocksdb::PinnableSlice* out);

// "a block of spans from 2026-01-02 03:04:05 UTC: checksum does not match"
std::string BlockFault(const Block& block, const absl::Status& status);

}  // namespace kindling::storage
