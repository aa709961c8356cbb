#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "storage/engine/view.h"
#include "storage/store_admin.h"

namespace rocksdb {
class DB;
}

// What an operator asks of a store.
namespace kindling::storage {

class Engine;

StoreStatus StatusOf(Engine& engine);

// Time of the oldest record; 0 for an empty store.
int64_t OldestRecord(const View& view);

// Reads every block, and compares the sums of the roll-ups with those of the rows they were made of
// over the time for which all of these are kept.
VerifyReport VerifyView(rocksdb::DB& db, const View& view);

}  // namespace kindling::storage
