#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "storage/engine/database.h"
#include "storage/engine/view.h"

namespace kindling::storage {

// What a database holds, as it is found when it is opened.
struct Directory {
  View view;                  // without a snapshot
  uint64_t next_number = 1;   // of blocks and chunks
  uint64_t next_arrival = 1;  // of raw batches
  absl::Status unreadable;    // an error of the disk rather than damage
};

// Reads the summaries of all blocks and all raw batches. What is damaged is named in view.faults.
absl::StatusOr<Directory> LoadDirectory(Database& database);

}  // namespace kindling::storage
