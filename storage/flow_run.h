#pragma once

#include <cstdint>
#include <span>

#include "model/records.h"
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

// What a row counts of its flow, and who its flow is between.
inline FlowRow FlowRowOf(const model::EdgeStats& row) {
  return {.window_start_ns = row.window_start_ns,
          .window_ns = row.window_ns,
          .count = row.count,
          .connections = row.connections,
          .connect_failures = row.connect_failures,
          .lost = row.lost};
}
inline SpanEnds EndsOf(const model::EdgeStats& row) {
  return {.side = row.observer,
          .protocol = row.protocol,
          .transport = row.transport,
          .client = row.client,
          .server = row.server};
}

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
