#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "model/records.h"
#include "storage/blocks/frame.h"
#include "storage/span_search.h"

// Which units of a block of spans may hold what is asked for.
namespace kindling::storage {

struct SpanRows;

// A set of units.
class SpanUnits {
 public:
  static SpanUnits All() { return SpanUnits(UINT64_MAX); }
  static SpanUnits None() { return SpanUnits(0); }
  static SpanUnits Only(size_t unit) { return SpanUnits(uint64_t{1} << unit); }

  void Add(size_t unit) { bits_ |= uint64_t{1} << unit; }
  void Add(SpanUnits others) { bits_ |= others.bits_; }
  // REQUIRES: unit < 64.
  bool Has(size_t unit) const { return (bits_ >> unit & 1) != 0; }
  bool empty() const { return bits_ == 0; }

 private:
  explicit SpanUnits(uint64_t bits) : bits_(bits) {}
  uint64_t bits_;
};

// What rows of a unit are within.
struct UnitBounds {
  int64_t first_ns = 0;  // start
  int64_t last_ns = 0;
  int64_t min_duration_ns = 0;
  int64_t max_duration_ns = 0;

  // Whether rows may have begun in start_ns <= time < end_ns.
  bool Overlaps(int64_t start_ns, int64_t end_ns) const {
    return last_ns >= start_ns && first_ns < end_ns;
  }
  // No row that `search` wants has a greater rank; INT64_MIN when none is wanted.
  int64_t HighestRank(const SpanSearch& search) const;
};

// When the rows of each unit began, how long they took and which traces they belong to. An id of a
// trace begins with its time, so that nearly all traces of a unit lie close together; those far off
// are told one by one. This leaves few units whose filters have to be asked, which are right nearly
// always and not always.
class SpanUnitRanges {
 public:
  // Column numbers that the ranges take, from the first on.
  static constexpr uint32_t kColumns = 8;

  static void Encode(const SpanRows& rows, FrameWriter& frame, uint32_t first_column);
  // False: damaged. REQUIRES: units <= kMaxSpanUnits.
  [[nodiscard]] bool Read(const FrameReader& frame, uint32_t first_column, size_t units);

  size_t size() const { return units_.size(); }
  const UnitBounds& operator[](size_t unit) const { return units_[unit]; }
  // Units that may hold rows of the trace.
  SpanUnits OfTrace(const model::TraceId& id) const;
  // Units that may hold rows which began in start_ns <= time < end_ns.
  SpanUnits Between(int64_t start_ns, int64_t end_ns) const;

  size_t memory_bytes() const {
    return units_.capacity() * sizeof(Unit) + far_traces_.capacity() * sizeof(uint64_t);
  }

 private:
  struct Unit : UnitBounds {
    uint64_t least_trace = 0;  // upper halves; least above greatest: none
    uint64_t greatest_trace = 0;
    uint32_t far_end = 0;  // of its far traces; those of the unit before end where its begin
  };
  void NoteTraces(uint64_t least, uint64_t greatest);

  std::vector<Unit> units_;
  std::vector<uint64_t> far_traces_;
  // Of all units: most blocks are of another time.
  uint64_t least_trace_ = UINT64_MAX;
  uint64_t greatest_trace_ = 0;
};

}  // namespace kindling::storage
