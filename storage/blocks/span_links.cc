#include "storage/blocks/span_links.h"

#include <algorithm>
#include <array>
#include <bit>
#include <numeric>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "storage/blocks/magnitudes.h"
#include "storage/blocks/number_column.h"
#include "storage/blocks/order_by_time.h"
#include "storage/blocks/span_layout.h"
#include "storage/varint.h"

namespace kindling::storage {
namespace {

using model::SpanId;
using model::TraceId;

// On disk: never renumber.
enum ParentKind : uint8_t {
  kNoParent = 0,
  kRecentServer = 1,  // a server's span of the same process: how many began in between
  kAnyRow = 2,        // a row of the block: distance in the order of starts
  kFarParent = 3,     // difference to the own id
};
enum TraceKind : uint8_t {
  kNoTrace = 0,
  kOwnTrace = 1,     // the upper half is the own id
  kParentTrace = 2,  // the parent's, a row that began before
  kRecentTrace = 3,  // a trace that rows before have: how many came up in between
  kNewTrace = 4,     // difference to the own id
};
using TraceKey = std::pair<uint64_t, uint64_t>;
TraceKey KeyOf(const TraceId& id) { return {id.high, id.low}; }

// An id's counter is below its time, as agent/aggregate/span_ids.h makes it.
constexpr int kTimeShift = 20;
constexpr int kCounterBits = 22;
constexpr uint64_t kCounterMask = (uint64_t{1} << kCounterBits) - 1;

// What is taken off the steps of counters. Steps in the order of starts are mostly 1 too, but a
// column must not be all zeros to be there.
constexpr uint64_t kEndedStep = 1;
constexpr uint64_t kStartedStep = 0;

uint64_t IdTime(int64_t start_ns) {
  return static_cast<uint64_t>(start_ns < 0 ? 0 : start_ns) >> kTimeShift << kCounterBits;
}

uint64_t Difference(uint64_t a, uint64_t b) { return ZigZag(static_cast<int64_t>(a - b)); }
uint64_t Undo(uint64_t a, uint64_t bits) { return a - static_cast<uint64_t>(UnZigZag(bits)); }

// Places of the rows in `order`.
std::vector<uint32_t> Places(const std::vector<uint32_t>& order) {
  std::vector<uint32_t> places(order.size());
  for (uint32_t i = 0; i < order.size(); ++i) places[order[i]] = i;
  return places;
}

// Differences of the ids' counters to those of the rows before of the same host, less `usual`.
std::vector<uint64_t> CounterSteps(const LinkRows& rows, std::span<const SpanId> ids,
                                   const std::vector<uint32_t>& order, uint64_t usual) {
  std::vector<uint64_t> values;
  values.reserve(rows.size());
  std::vector<uint64_t> counters(rows.host_count);
  for (const uint32_t row : order) {
    uint64_t& counter = counters[rows.host[row]];
    const uint64_t now = ids[row] - IdTime(rows.start_ns[row]);
    values.push_back(Difference(now, counter + usual));
    counter = now;
  }
  return values;
}

// Agents number spans as they end, or as they begin when what they cause needs to name them.
void EncodeIds(FrameWriter& frame, uint32_t base, const LinkRows& rows, std::span<const SpanId> ids,
               const std::vector<uint32_t>& by_start) {
  const std::vector<uint64_t> ended = CounterSteps(rows, ids, OrderByTime(rows.end_ns), kEndedStep);
  const std::vector<uint64_t> started = CounterSteps(rows, ids, by_start, kStartedStep);
  // A column of zeros is not there and could not tell the order.
  const bool has_started =
      std::any_of(started.begin(), started.end(), [](uint64_t step) { return step != 0; });
  if (has_started && EstimateMagnitudeBits(started) < EstimateMagnitudeBits(ended)) {
    EncodeNumberColumn(frame, base + kIdByStart, started);
  } else {
    EncodeNumberColumn(frame, base + kId, ended);
  }
}

// An id that is told in full: its time as the difference to that of the row's own id, and its
// counter, which is near that of the id before from the same source.
struct FarIds {
  std::vector<uint64_t> times;
  std::vector<uint64_t> counters;
  std::vector<uint32_t> sources;

  void Add(SpanId own, SpanId id, uint32_t source) {
    times.push_back(Difference(own >> kCounterBits, id >> kCounterBits));
    counters.push_back(id & kCounterMask);
    sources.push_back(source);
  }
};

struct ParentColumns {
  std::vector<uint64_t> kinds;
  std::vector<uint64_t> backs;
  std::vector<uint64_t> rows;
  FarIds fars;
};

struct TraceColumns {
  std::vector<uint64_t> kinds;
  std::vector<uint64_t> backs;
  FarIds highs;
  std::vector<uint64_t> lows;
  std::vector<uint32_t> low_hosts;
};

void EncodeParentsAndTraces(FrameWriter& frame, uint32_t base, const LinkRows& rows,
                            const LinksView& links, const std::vector<uint32_t>& order) {
  const std::vector<uint32_t> places = Places(order);
  absl::flat_hash_map<SpanId, uint32_t> row_of;
  row_of.reserve(rows.size());
  for (uint32_t row = 0; row < rows.size(); ++row) row_of.try_emplace(links.ids[row], row);
  std::vector<uint32_t> servers(rows.process_count);    // spans served so far
  std::vector<uint32_t> number_of(rows.size());         // of a server's span within its process
  absl::flat_hash_map<TraceKey, uint32_t> seen_traces;  // number in order of coming up
  absl::flat_hash_map<uint64_t, uint32_t> sources;
  ParentColumns parents;
  TraceColumns traces;
  for (uint32_t place = 0; place < order.size(); ++place) {
    const uint32_t row = order[place];
    const SpanId parent = links.parents[row];
    const auto it = parent == 0 ? row_of.end() : row_of.find(parent);
    const bool parent_began = it != row_of.end() && places[it->second] < place;
    if (parent == 0) {
      parents.kinds.push_back(kNoParent);
    } else if (parent_began && rows.serves[it->second] &&
               rows.process[it->second] == rows.process[row]) {
      parents.kinds.push_back(kRecentServer);
      parents.backs.push_back(servers[rows.process[row]] - 1 - number_of[it->second]);
    } else if (it != row_of.end()) {
      parents.kinds.push_back(kAnyRow);
      parents.rows.push_back(Difference(place, places[it->second]));
    } else {
      parents.kinds.push_back(kFarParent);
      parents.fars.Add(links.ids[row], parent, rows.client[row]);
    }
    if (rows.serves[row]) number_of[row] = servers[rows.process[row]]++;

    const TraceId& trace = links.traces[row];
    if (trace == TraceId{}) {
      traces.kinds.push_back(kNoTrace);
    } else if (parent_began && links.traces[it->second] == trace) {
      traces.kinds.push_back(kParentTrace);
    } else if (const auto seen = seen_traces.find(KeyOf(trace)); seen != seen_traces.end()) {
      traces.kinds.push_back(kRecentTrace);
      traces.backs.push_back(seen_traces.size() - 1 - seen->second);
    } else {
      const bool is_own = trace.high == links.ids[row];
      traces.kinds.push_back(is_own ? kOwnTrace : kNewTrace);
      if (!is_own) {
        // The lower half tells agents apart.
        const auto source = sources.try_emplace(trace.low, static_cast<uint32_t>(sources.size()));
        traces.highs.Add(links.ids[row], trace.high, source.first->second);
      }
      traces.lows.push_back(trace.low);
      traces.low_hosts.push_back(rows.host[row]);
      seen_traces.emplace(KeyOf(trace), static_cast<uint32_t>(seen_traces.size()));
    }
  }
  EncodeNumberColumn(frame, base + kParentKind, parents.kinds);
  EncodeNumberColumn(frame, base + kParentBack, parents.backs);
  EncodeNumberColumn(frame, base + kParentRow, parents.rows);
  EncodeNumberColumn(frame, base + kParentFar, parents.fars.times);
  const std::array<ColumnContext, 1> by_client = {
      {{.of_value = parents.fars.sources, .count = rows.client_count, .has_steps = true}}};
  EncodeNumberColumn(frame, base + kParentCounter, parents.fars.counters, by_client);
  EncodeNumberColumn(frame, base + kTraceKind, traces.kinds);
  EncodeNumberColumn(frame, base + kTraceBack, traces.backs);
  EncodeNumberColumn(frame, base + kTraceHigh, traces.highs.times);
  const std::array<ColumnContext, 1> by_source = {{{.of_value = traces.highs.sources,
                                                    .count = static_cast<uint32_t>(sources.size()),
                                                    .has_steps = true}}};
  EncodeNumberColumn(frame, base + kTraceCounter, traces.highs.counters, by_source);
  const std::array<ColumnContext, 1> by_host = {{{traces.low_hosts, rows.host_count}}};
  EncodeNumberColumn(frame, base + kTraceLow, traces.lows, by_host);
}

// Values of a column one after the other, with a check that there are as many as are taken.
class Queue {
 public:
  // Reads a column of `count` values.
  bool Load(const FrameReader& frame, uint32_t column, size_t count,
            std::span<const ColumnContext> contexts = {}) {
    at_ = 0;
    return DecodeNumberColumn(frame, column, count, values_, contexts);
  }
  uint64_t Next() { return values_[at_++]; }

 private:
  std::vector<uint64_t> values_;
  size_t at_ = 0;
};

SpanId FarId(SpanId own, uint64_t time, uint64_t counter) {
  return Undo(own >> kCounterBits, time) << kCounterBits | (counter & kCounterMask);
}

size_t Count(const std::vector<uint64_t>& values, uint64_t wanted) {
  return static_cast<size_t>(std::count(values.begin(), values.end(), wanted));
}

}  // namespace

void EncodeLinks(FrameWriter& frame, uint32_t base, const LinkRows& rows, const LinksView& links) {
  EncodeIds(frame, base, rows, links.ids, rows.by_start);
  EncodeParentsAndTraces(frame, base, rows, links, rows.by_start);
}

bool DecodeIds(const FrameReader& frame, uint32_t base, const LinkRows& rows, Links& links) {
  std::vector<uint64_t> values;
  const bool by_start = !IsZeroColumn(frame, base + kIdByStart);
  if (!DecodeNumberColumn(frame, base + (by_start ? kIdByStart : kId), rows.size(), values))
    return false;
  links.ids.resize(rows.size());
  std::vector<uint64_t> counters(rows.host_count);
  size_t at = 0;
  for (const uint32_t row : by_start ? rows.by_start : OrderByTime(rows.end_ns)) {
    uint64_t& counter = counters[rows.host[row]];
    counter +=
        (by_start ? kStartedStep : kEndedStep) + static_cast<uint64_t>(UnZigZag(values[at++]));
    links.ids[row] = counter + IdTime(rows.start_ns[row]);
  }
  return true;
}

bool DecodeParentsAndTraces(const FrameReader& frame, uint32_t base, const LinkRows& rows,
                            Links& links) {
  const size_t count = rows.size();
  links.parents.assign(count, 0);
  links.traces.assign(count, {});
  if (IsZeroColumn(frame, base + kParentKind) && IsZeroColumn(frame, base + kTraceKind))
    return true;
  std::vector<uint64_t> parent_kinds;
  std::vector<uint64_t> trace_kinds;
  Queue backs;
  Queue parent_rows;
  Queue far_times;
  Queue far_counters;
  if (!DecodeNumberColumn(frame, base + kParentKind, count, parent_kinds) ||
      !backs.Load(frame, base + kParentBack, Count(parent_kinds, kRecentServer)) ||
      !parent_rows.Load(frame, base + kParentRow, Count(parent_kinds, kAnyRow)) ||
      !far_times.Load(frame, base + kParentFar, Count(parent_kinds, kFarParent)) ||
      !DecodeNumberColumn(frame, base + kTraceKind, count, trace_kinds)) {
    return false;
  }
  const std::vector<uint32_t>& order = rows.by_start;
  std::vector<uint32_t> far_clients;
  std::vector<uint32_t> low_hosts;
  for (size_t place = 0; place < count; ++place) {
    const uint32_t row = order[place];
    if (parent_kinds[place] == kFarParent) far_clients.push_back(rows.client[row]);
    if (trace_kinds[place] == kOwnTrace || trace_kinds[place] == kNewTrace) {
      low_hosts.push_back(rows.host[row]);
    }
  }
  const std::array<ColumnContext, 1> by_client = {{{far_clients, rows.client_count}}};
  const std::array<ColumnContext, 1> by_host = {{{low_hosts, rows.host_count}}};
  std::vector<uint64_t> lows;
  if (!far_counters.Load(frame, base + kParentCounter, far_clients.size(), by_client) ||
      !DecodeNumberColumn(frame, base + kTraceLow, low_hosts.size(), lows, by_host)) {
    return false;
  }
  // Which of them are of new traces that are told in full.
  std::vector<uint32_t> high_sources;
  absl::flat_hash_map<uint64_t, uint32_t> sources;
  size_t low_at = 0;
  for (size_t place = 0; place < count; ++place) {
    if (trace_kinds[place] == kOwnTrace) ++low_at;
    if (trace_kinds[place] != kNewTrace) continue;
    high_sources.push_back(
        sources.try_emplace(lows[low_at++], static_cast<uint32_t>(sources.size())).first->second);
  }
  const std::array<ColumnContext, 1> by_source = {
      {{high_sources, static_cast<uint32_t>(sources.size())}}};
  Queue trace_backs;
  Queue high_times;
  Queue high_counters;
  if (!trace_backs.Load(frame, base + kTraceBack, Count(trace_kinds, kRecentTrace)) ||
      !high_times.Load(frame, base + kTraceHigh, high_sources.size()) ||
      !high_counters.Load(frame, base + kTraceCounter, high_sources.size(), by_source)) {
    return false;
  }
  low_at = 0;
  std::vector<std::vector<uint32_t>> servers(rows.process_count);
  std::vector<TraceId> seen;
  for (size_t place = 0; place < count; ++place) {
    const uint32_t row = order[place];
    constexpr uint32_t kNoRow = UINT32_MAX;
    uint32_t parent_row = kNoRow;
    bool parent_began = false;
    switch (parent_kinds[place]) {
      case kNoParent:
        break;
      case kRecentServer: {
        const std::vector<uint32_t>& of_process = servers[rows.process[row]];
        const uint64_t back = backs.Next();
        if (back >= of_process.size()) return false;
        parent_row = of_process[of_process.size() - 1 - back];
        parent_began = true;
        break;
      }
      case kAnyRow: {
        const uint64_t parent_place = Undo(place, parent_rows.Next());
        if (parent_place >= count) return false;
        parent_row = order[parent_place];
        parent_began = parent_place < place;
        break;
      }
      case kFarParent:
        links.parents[row] = FarId(links.ids[row], far_times.Next(), far_counters.Next());
        break;
      default:
        return false;
    }
    if (parent_row != kNoRow) links.parents[row] = links.ids[parent_row];
    if (rows.serves[row]) servers[rows.process[row]].push_back(row);

    TraceId& trace = links.traces[row];
    switch (trace_kinds[place]) {
      case kNoTrace:
        break;
      case kParentTrace:
        if (!parent_began) return false;
        trace = links.traces[parent_row];
        break;
      case kRecentTrace: {
        const uint64_t back = trace_backs.Next();
        if (back >= seen.size()) return false;
        trace = seen[seen.size() - 1 - back];
        break;
      }
      case kOwnTrace:
      case kNewTrace:
        trace.high = links.ids[row];
        if (trace_kinds[place] == kNewTrace) {
          trace.high = FarId(links.ids[row], high_times.Next(), high_counters.Next());
        }
        trace.low = lows[low_at++];
        seen.push_back(trace);
        break;
      default:
        return false;
    }
  }
  return true;
}

}  // namespace kindling::storage
