#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"

namespace kindling::storage {

// Bytes free to this user on the file system of `directory`; UINT64_MAX when that cannot be told.
uint64_t FreeBytes(const std::string& directory);

// RESOURCE_EXHAUSTED when less than `min_free_bytes` is left.
absl::Status CheckRoom(const std::string& directory, uint64_t min_free_bytes);

// RESOURCE_EXHAUSTED unless what opening a database needs can be written.
absl::Status TryWriting(const std::string& directory);

// Sizes of all files in the directory.
uint64_t DirectoryBytes(const std::string& directory);

}  // namespace kindling::storage
