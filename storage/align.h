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

// The first start of a window at or after `time_ns`.
constexpr int64_t AlignUp(int64_t time_ns, int64_t length_ns) {
  const int64_t down = AlignDown(time_ns, length_ns);
  if (down == time_ns) return time_ns;
  return down > INT64_MAX - length_ns ? INT64_MAX : down + length_ns;
}

}  // namespace kindling::storage
