#pragma once

#include <cstdint>

#include "model/records.h"

namespace kindling::agent {

// Makes span ids: start time in units of 2^20 ns above 22 bits of a counter, so that ids sort by
// time to about a millisecond and neighbours differ little. Unique within an agent; agents start
// their counters at different places, so that two of them rarely meet.
class SpanIds {
 public:
  explicit SpanIds(uint64_t seed) : counter_(seed) {}

  model::SpanId Next(int64_t start_wall_ns) {
    const uint64_t time = static_cast<uint64_t>(start_wall_ns < 0 ? 0 : start_wall_ns) >> 20;
    const model::SpanId id = time << 22 | (++counter_ & 0x3fffff);
    return id != 0 ? id : 1;
  }

 private:
  uint64_t counter_;
};

}  // namespace kindling::agent
