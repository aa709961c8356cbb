#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace kindling::storage {

// Rows by `times`, in the order that the format of spans asks for: by the time less the least one,
// shifted right until all fit 33 bits, then by number.
std::vector<uint32_t> OrderByTime(std::span<const int64_t> times);

}  // namespace kindling::storage
