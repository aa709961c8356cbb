#pragma once

#include <string>

#include "absl/status/status.h"

namespace kindling::storage {

// A store's directory with this file in it gets a new id when it is opened, and the file goes:
// agents that knew the id send again what the copy lacks.
inline constexpr char kRestoredMarker[] = "restored";

// Copies a backup, or a store that nobody has open, to `to`, which must not exist or be empty, as a
// store that gets an id of its own. `to` is there only when all of it is, and durable.
//
// Failure: INVALID_ARGUMENT `from` is no store; FAILED_PRECONDITION it is open, or `to` is in use;
//          RESOURCE_EXHAUSTED the disk is full; the message says what to do.
absl::Status RestoreStore(const std::string& from, const std::string& to);

}  // namespace kindling::storage
