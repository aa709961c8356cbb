#pragma once

#include <cstdint>

namespace kindling::base {

// What this process has used of its machine.
struct ProcessUsage {
  uint64_t resident_bytes = 0;
  double cpu_seconds = 0;  // user and system
};
ProcessUsage ReadProcessUsage();

}  // namespace kindling::base
