#pragma once

#include <cstdint>

namespace kindling::storage {

// The start of the window of `length_ns` that holds `time_ns`; windows are aligned to the epoch.
// The first window of all begins with the first time there is.
constexpr int64_t AlignDown(int64_t time_ns, int64_t length_ns) {
  const int64_t rest = time_ns % length_ns;
  const int64_t into = rest < 0 ? rest + length_ns : rest;
  return time_ns < INT64_MIN + into ? INT64_MIN : time_ns - into;
}

}  // namespace kindling::storage
