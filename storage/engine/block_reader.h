#pragma once

#include <string>
#include <string_view>

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
  ScanReport Take() { return std::move(report_); }

 private:
  ScanReport report_;
};

// Reads one value of a block as it was when `view` was taken.
absl::Status ReadPart(rocksdb::DB& db, const View& view, const Bucket& bucket, const Block& block,
                      BlockPart part, rocksdb::PinnableSlice* out);

// "a block of spans from 2026-01-02 03:04:05 UTC: checksum does not match"
std::string BlockFault(const Block& block, const absl::Status& status);

}  // namespace kindling::storage
