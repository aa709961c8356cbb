#pragma once

#include <cstdint>
#include <span>

#include "storage/span_search.h"

namespace kindling::storage {

// How often one called another in a window, and how much of it was lost: EdgeStats without what was
// asked.
struct FlowRow {
  int64_t window_start_ns = 0;
  int64_t window_ns = 0;
  uint64_t count = 0;
  uint64_t connections = 0;
  uint64_t connect_failures = 0;
  uint64_t lost = 0;
  bool operator==(const FlowRow&) const = default;
};

// Rows of one observer, ends, protocol and transport. The same window may come more than once.
//
// Lifetime: the call's.
struct FlowRun {
  // Another run of an answer with the same number is of the same flow; few flows have more than one
  // number, which count from 0.
  uint32_t flow = 0;
  const SpanEnds& ends;
  std::span<const FlowRow> rows;
};

}  // namespace kindling::storage
