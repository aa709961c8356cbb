#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "storage/engine/view.h"
#include "storage/store_admin.h"

// What an operator asks of a store.
namespace kindling::storage {

class Engine;

StoreStatus StatusOf(Engine& engine);

// Time of the oldest record; 0 for an empty store.
int64_t OldestRecord(const View& view);

}  // namespace kindling::storage
