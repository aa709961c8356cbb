#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace rocksdb {
struct ColumnFamilyDescriptor;
struct DBOptions;
}  // namespace rocksdb

namespace kindling::storage {

// RocksDB opens a database with all of its tables or not at all. This looks for tables that are
// missing, cut, or cannot be opened. Those of buckets it moves into the directory `damaged` and
// takes out of the manifest, so that the rest can be used; what a bucket has lost is noted there:
// see faults.h. A table that lies beneath one that is lost goes with it when it may hold what a
// merge has replaced, for that would come up again. The database must not be open.
//
// Failure: an error of the disk, which may pass; nothing is known to be damaged then.
struct DamagedTables {
  size_t set_aside = 0;
  // What is wrong with a table that is not of a bucket; then nothing is changed. Empty: nothing.
  std::string own;
};
absl::StatusOr<DamagedTables> SetDamagedTablesAside(
    const rocksdb::DBOptions& options, const std::string& directory,
    const std::vector<rocksdb::ColumnFamilyDescriptor>& families);

}  // namespace kindling::storage
