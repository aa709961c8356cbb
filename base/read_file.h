#pragma once

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"

namespace kindling::base {

// The whole file, also one whose size is not known beforehand (/proc, a pipe).
// Failure: what the system said, with the path; InvalidArgument when it is longer than `max_bytes`.
absl::StatusOr<std::string> ReadFile(const std::string& path, size_t max_bytes);

}  // namespace kindling::base
