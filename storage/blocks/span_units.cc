#include "storage/blocks/span_units.h"

#include <algorithm>
#include <span>

#include "storage/blocks/number_column.h"
#include "storage/blocks/span_layout.h"
#include "storage/blocks/span_rows.h"
#include "storage/varint.h"

namespace kindling::storage {
namespace {

// Columns of the ranges, from the first on, by unit but for the last. On disk: never renumber.
enum Column : uint32_t {
  kFirst = 0,       // least start, from that of the unit before
  kLast = 1,        // greatest start less the least
  kLeastTrace = 2,  // least trace (upper half), from that of the unit before
  kTraceRange = 3,  // greatest trace less the least, the far ones aside
  kShortest = 4,    // least duration, from that of the unit before
  kLongest = 5,     // greatest duration less the least
  kFarTraces = 6,   // how many traces are far
  kFarTrace = 7,  // of each of these, unit by unit and ascending, from the least trace of its unit
};

// The oldest and newest requests that are still going on beside so many others.
constexpr size_t kMaxFar = 16;

// Upper halves of a unit's traces: a range of most, and those outside it.
struct TraceRange {
  uint64_t least = 1;
  uint64_t greatest = 0;
  std::vector<uint64_t> far;
};

// `traces` are sorted, each once. Leaves out what makes the range shortest.
TraceRange RangeOf(const std::vector<uint64_t>& traces) {
  TraceRange range;
  if (traces.empty()) return range;
  const size_t kept = traces.size() > 2 * kMaxFar ? traces.size() - kMaxFar : traces.size();
  size_t first = 0;
  for (size_t i = 1; i + kept <= traces.size(); ++i) {
    if (traces[i + kept - 1] - traces[i] < traces[first + kept - 1] - traces[first]) first = i;
  }
  range.least = traces[first];
  range.greatest = traces[first + kept - 1];
  const auto begin = traces.begin() + static_cast<ptrdiff_t>(first);
  range.far.assign(traces.begin(), begin);
  range.far.insert(range.far.end(), begin + static_cast<ptrdiff_t>(kept), traces.end());
  return range;
}

uint64_t Step(uint64_t value, uint64_t& last) {
  const uint64_t step = ZigZag(static_cast<int64_t>(value - last));
  last = value;
  return step;
}

}  // namespace

void SpanUnitRanges::Encode(const SpanRows& rows, FrameWriter& frame, uint32_t first_column) {
  std::vector<uint64_t> columns[kColumns];
  uint64_t last_start = 0;
  uint64_t last_trace = 0;
  uint64_t last_shortest = 0;
  std::vector<uint64_t> traces;
  for (const SpanRows::Unit& unit : rows.units) {
    int64_t first_ns = INT64_MAX;
    int64_t last_ns = INT64_MIN;
    int64_t shortest_ns = INT64_MAX;
    int64_t longest_ns = INT64_MIN;
    traces.clear();
    for (const uint32_t i : std::span(rows.span_of_row).subspan(unit.first_row, unit.rows)) {
      const model::Span& span = *rows.spans[i];
      first_ns = std::min(first_ns, span.start_ns);
      last_ns = std::max(last_ns, span.start_ns);
      shortest_ns = std::min(shortest_ns, WrappedDuration(span));
      longest_ns = std::max(longest_ns, WrappedDuration(span));
      if (span.trace_id != model::TraceId{}) traces.push_back(span.trace_id.high);
    }
    std::sort(traces.begin(), traces.end());
    traces.erase(std::unique(traces.begin(), traces.end()), traces.end());
    const TraceRange range = RangeOf(traces);
    columns[kFirst].push_back(Step(static_cast<uint64_t>(first_ns), last_start));
    columns[kLast].push_back(static_cast<uint64_t>(last_ns) - static_cast<uint64_t>(first_ns));
    columns[kLeastTrace].push_back(Step(range.least, last_trace));
    columns[kTraceRange].push_back(range.greatest - range.least);
    columns[kShortest].push_back(Step(static_cast<uint64_t>(shortest_ns), last_shortest));
    columns[kLongest].push_back(static_cast<uint64_t>(longest_ns) -
                                static_cast<uint64_t>(shortest_ns));
    columns[kFarTraces].push_back(range.far.size());
    for (const uint64_t far : range.far) {
      columns[kFarTrace].push_back(ZigZag(static_cast<int64_t>(far - range.least)));
    }
  }
  for (uint32_t i = 0; i < kColumns; ++i) EncodeNumberColumn(frame, first_column + i, columns[i]);
}

bool SpanUnitRanges::Read(const FrameReader& frame, uint32_t first_column, size_t units) {
  std::vector<uint64_t> columns[kColumns];
  size_t far_count = 0;
  for (uint32_t i = 0; i < kColumns; ++i) {
    const size_t count = i == kFarTrace ? far_count : units;
    if (!DecodeNumberColumn(frame, first_column + i, count, columns[i])) return false;
    if (i != kFarTraces) continue;
    for (const uint64_t far : columns[i]) {
      if (far > kMaxFar) return false;
      far_count += far;
    }
  }
  uint64_t start = 0;
  uint64_t trace = 0;
  uint64_t shortest = 0;
  for (size_t i = 0; i < units; ++i) {
    start += static_cast<uint64_t>(UnZigZag(columns[kFirst][i]));
    trace += static_cast<uint64_t>(UnZigZag(columns[kLeastTrace][i]));
    shortest += static_cast<uint64_t>(UnZigZag(columns[kShortest][i]));
    for (uint64_t far = 0; far < columns[kFarTraces][i]; ++far) {
      const uint64_t step = columns[kFarTrace][far_traces_.size()];
      far_traces_.push_back(trace + static_cast<uint64_t>(UnZigZag(step)));
      NoteTraces(far_traces_.back(), far_traces_.back());
    }
    Unit& unit = units_.emplace_back();
    unit.first_ns = static_cast<int64_t>(start);
    unit.last_ns = static_cast<int64_t>(start + columns[kLast][i]);
    unit.min_duration_ns = static_cast<int64_t>(shortest);
    unit.max_duration_ns = static_cast<int64_t>(shortest + columns[kLongest][i]);
    unit.least_trace = trace;
    unit.greatest_trace = trace + columns[kTraceRange][i];
    unit.far_end = static_cast<uint32_t>(far_traces_.size());
    if (unit.least_trace <= unit.greatest_trace) NoteTraces(unit.least_trace, unit.greatest_trace);
    if (unit.last_ns < unit.first_ns || unit.max_duration_ns < unit.min_duration_ns) return false;
  }
  return true;
}

void SpanUnitRanges::NoteTraces(uint64_t least, uint64_t greatest) {
  least_trace_ = std::min(least_trace_, least);
  greatest_trace_ = std::max(greatest_trace_, greatest);
}

int64_t UnitBounds::HighestRank(const SpanSearch& search) const {
  if (!Overlaps(search.start_ns, search.end_ns) || max_duration_ns < search.min_duration_ns ||
      min_duration_ns > search.max_duration_ns) {
    return INT64_MIN;
  }
  const bool by_start = search.order == SpanSearch::Order::kNewest;
  if ((by_start ? first_ns : min_duration_ns) > search.highest_rank) return INT64_MIN;
  return by_start ? std::min({last_ns, search.highest_rank, search.end_ns - 1})
                  : std::min({max_duration_ns, search.highest_rank, search.max_duration_ns});
}

SpanUnits SpanUnitRanges::OfTrace(const model::TraceId& id) const {
  SpanUnits found = SpanUnits::None();
  if (id.high < least_trace_ || id.high > greatest_trace_) return found;
  size_t far = 0;
  for (size_t i = 0; i < units_.size(); ++i) {
    const Unit& unit = units_[i];
    const auto first = far_traces_.begin() + static_cast<ptrdiff_t>(far);
    const auto end = far_traces_.begin() + unit.far_end;
    if ((unit.least_trace <= id.high && id.high <= unit.greatest_trace) ||
        std::find(first, end, id.high) != end) {
      found.Add(i);
    }
    far = unit.far_end;
  }
  return found;
}

SpanUnits SpanUnitRanges::Between(int64_t start_ns, int64_t end_ns) const {
  SpanUnits found = SpanUnits::None();
  for (size_t i = 0; i < units_.size(); ++i) {
    if (units_[i].Overlaps(start_ns, end_ns)) found.Add(i);
  }
  return found;
}

}  // namespace kindling::storage
