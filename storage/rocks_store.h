#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "storage/rocks_store_options.h"
#include "storage/store.h"

namespace kindling::storage {

// The Store on RocksDB: one database, keys as drawn in README.md.
//
// Threads:  safe from any. Appends run one at a time; queries run beside them. Two threads of its
//           own seal and merge.
// Lifetime: every query must have returned before the store is destroyed.
// Failure:  after a write has failed, nothing is written until there is room again and the database
//           has been opened anew; reads go on meanwhile. Errors of opening: FAILED_PRECONDITION the
//           store was written by another version, or another process has it open; DATA_LOSS it is
//           damaged; the message is one line and says what to do.
absl::StatusOr<std::unique_ptr<Store>> OpenRocksStore(const RocksStoreOptions& options);

}  // namespace kindling::storage
