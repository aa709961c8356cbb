#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace kindling::base {

// A status for errno value `error` (positive, or libbpf's negative form) of `operation`, for
// example "open /etc/x: No such file or directory". The only conversion from errno in the project.
absl::Status ErrnoStatus(int error, std::string_view operation);

// "ECONNREFUSED"; the number where it has no name.
std::string ErrnoName(int error);

}  // namespace kindling::base
