#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "controller/query/query_context.h"

namespace kindling::controller {

// Addresses are looked for in what was seen so long before now.
inline constexpr int64_t kPathEndsAgeNs = int64_t{3600} * 1'000'000'000;
inline constexpr size_t kMaxEndAddresses = 128;

// The addresses of one end of a path: `end` itself where it is one, else those of the workloads,
// the services (a workload's name without its port), the host or the DNS name that are called so.
// Loopback only where nothing else is known, for there everything talks to everything. Ascending.
// NOT_FOUND: nothing is called so; INVALID_ARGUMENT: more than kMaxEndAddresses.
absl::StatusOr<std::vector<std::string>> FindPathEnd(const QueryContext& context,
                                                     const std::string& end);

}  // namespace kindling::controller
