#include "storage/blocks/span_links.h"

#include <algorithm>
#include <array>
#include <bit>
#include <numeric>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "storage/blocks/magnitudes.h"
#include "storage/blocks/number_column.h"
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
enum AliasKind : uint8_t {
  kNoAlias = 0,
  kRecentPair = 1,   // trace and parent that a row before has
  kRecentAlias = 2,  // a trace that a row before has, and a new parent
  kNewAlias = 3,
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
std::vector<uint64_t> CounterSteps(const LinkRows& rows, const std::vector<SpanId>& ids,
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
void EncodeIds(FrameWriter& frame, const LinkRows& rows, const std::vector<SpanId>& ids,
               const std::vector<uint32_t>& by_start) {
  const std::vector<uint64_t> ended = CounterSteps(rows, ids, OrderByTime(rows.end_ns), kEndedStep);
  const std::vector<uint64_t> started = CounterSteps(rows, ids, by_start, kStartedStep);
  // A column of zeros is not there and could not tell the order.
  const bool has_started =
      std::any_of(started.begin(), started.end(), [](uint64_t step) { return step != 0; });
  if (has_started && EstimateMagnitudeBits(started) < EstimateMagnitudeBits(ended)) {
    EncodeNumberColumn(frame, kIdByStart, started);
  } else {
    EncodeNumberColumn(frame, kId, ended);
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

void EncodeParentsAndTraces(FrameWriter& frame, const LinkRows& rows, const Links& links,
                            const std::vector<uint32_t>& order) {
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
  EncodeNumberColumn(frame, kParentKind, parents.kinds);
  EncodeNumberColumn(frame, kParentBack, parents.backs);
  EncodeNumberColumn(frame, kParentRow, parents.rows);
  EncodeNumberColumn(frame, kParentFar, parents.fars.times);
  const std::array<ColumnContext, 1> by_client = {
      {{.of_value = &parents.fars.sources, .count = rows.client_count, .has_steps = true}}};
  EncodeNumberColumn(frame, kParentCounter, parents.fars.counters, by_client);
  EncodeNumberColumn(frame, kTraceKind, traces.kinds);
  EncodeNumberColumn(frame, kTraceBack, traces.backs);
  EncodeNumberColumn(frame, kTraceHigh, traces.highs.times);
  const std::array<ColumnContext, 1> by_source = {{{.of_value = &traces.highs.sources,
                                                    .count = static_cast<uint32_t>(sources.size()),
                                                    .has_steps = true}}};
  EncodeNumberColumn(frame, kTraceCounter, traces.highs.counters, by_source);
  const std::array<ColumnContext, 1> by_host = {{{&traces.low_hosts, rows.host_count}}};
  EncodeNumberColumn(frame, kTraceLow, traces.lows, by_host);
}

void PutU64(std::string& out, uint64_t value) {
  for (int shift = 0; shift < 64; shift += 8) out.push_back(static_cast<char>(value >> shift));
}

void EncodeAliases(FrameWriter& frame, const Links& links, const std::vector<uint32_t>& order) {
  absl::flat_hash_map<std::pair<TraceKey, SpanId>, uint32_t> pairs;
  absl::flat_hash_map<TraceKey, uint32_t> traces;
  std::vector<uint64_t> kinds;
  std::vector<uint64_t> pair_backs;
  std::vector<uint64_t> trace_backs;
  std::string new_traces;
  std::string new_parents;
  for (const uint32_t row : order) {
    const TraceId& trace = links.alias_traces[row];
    const SpanId parent = links.alias_parents[row];
    if (trace == TraceId{} && parent == 0) {
      kinds.push_back(kNoAlias);
      continue;
    }
    const auto [pair, is_new] =
        pairs.try_emplace(std::pair(KeyOf(trace), parent), static_cast<uint32_t>(pairs.size()));
    if (!is_new) {
      kinds.push_back(kRecentPair);
      pair_backs.push_back(pairs.size() - 1 - pair->second);
      continue;
    }
    const auto [it, is_new_trace] =
        traces.try_emplace(KeyOf(trace), static_cast<uint32_t>(traces.size()));
    if (is_new_trace) {
      kinds.push_back(kNewAlias);
      PutU64(new_traces, trace.high);
      PutU64(new_traces, trace.low);
    } else {
      kinds.push_back(kRecentAlias);
      trace_backs.push_back(traces.size() - 1 - it->second);
    }
    PutU64(new_parents, parent);
  }
  EncodeNumberColumn(frame, kAliasKind, kinds);
  EncodeNumberColumn(frame, kAliasPairBack, pair_backs);
  EncodeNumberColumn(frame, kAliasTraceBack, trace_backs);
  if (!new_traces.empty()) frame.Add(SectionOf(kAliasTraces), new_traces, Packing::kDense);
  if (!new_parents.empty()) frame.Add(SectionOf(kAliasParents), new_parents, Packing::kDense);
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

std::vector<uint32_t> OrderByTime(const std::vector<int64_t>& times) {
  constexpr int kDigitBits = 11;
  constexpr int kDigits = 3;
  std::vector<uint32_t> order(times.size());
  std::iota(order.begin(), order.end(), 0);
  if (times.empty()) return order;
  const auto [least, greatest] = std::minmax_element(times.begin(), times.end());
  const uint64_t base = static_cast<uint64_t>(*least);
  const uint64_t range = static_cast<uint64_t>(*greatest) - base;
  const int shift = std::max(0, static_cast<int>(std::bit_width(range)) - kDigitBits * kDigits);
  std::vector<uint32_t> next(times.size());
  for (int digit = 0; digit < kDigits; ++digit) {
    const int down = shift + digit * kDigitBits;
    if (down >= 64 || range >> down == 0) break;
    std::array<uint32_t, (1 << kDigitBits) + 1> counts{};
    const auto digit_of = [&](uint32_t row) {
      return (static_cast<uint64_t>(times[row]) - base) >> down & ((1 << kDigitBits) - 1);
    };
    for (const uint32_t row : order) ++counts[digit_of(row) + 1];
    for (size_t i = 1; i < counts.size(); ++i) counts[i] += counts[i - 1];
    for (const uint32_t row : order) next[counts[digit_of(row)]++] = row;
    order.swap(next);
  }
  return order;
}

void EncodeLinks(FrameWriter& frame, const LinkRows& rows, const Links& links) {
  const std::vector<uint32_t> order = OrderByTime(rows.start_ns);
  EncodeIds(frame, rows, links.ids, order);
  EncodeParentsAndTraces(frame, rows, links, order);
  EncodeAliases(frame, links, order);
}

bool DecodeIds(const FrameReader& frame, const LinkRows& rows, Links& links) {
  std::vector<uint64_t> values;
  const bool by_start = !IsZeroColumn(frame, kIdByStart);
  if (!DecodeNumberColumn(frame, by_start ? kIdByStart : kId, rows.size(), values)) return false;
  links.ids.resize(rows.size());
  std::vector<uint64_t> counters(rows.host_count);
  size_t at = 0;
  for (const uint32_t row : OrderByTime(by_start ? rows.start_ns : rows.end_ns)) {
    uint64_t& counter = counters[rows.host[row]];
    counter +=
        (by_start ? kStartedStep : kEndedStep) + static_cast<uint64_t>(UnZigZag(values[at++]));
    links.ids[row] = counter + IdTime(rows.start_ns[row]);
  }
  return true;
}

bool DecodeParentsAndTraces(const FrameReader& frame, const LinkRows& rows, Links& links) {
  const size_t count = rows.size();
  links.parents.assign(count, 0);
  links.traces.assign(count, {});
  if (IsZeroColumn(frame, kParentKind) && IsZeroColumn(frame, kTraceKind)) return true;
  std::vector<uint64_t> parent_kinds;
  std::vector<uint64_t> trace_kinds;
  Queue backs;
  Queue parent_rows;
  Queue far_times;
  Queue far_counters;
  if (!DecodeNumberColumn(frame, kParentKind, count, parent_kinds) ||
      !backs.Load(frame, kParentBack, Count(parent_kinds, kRecentServer)) ||
      !parent_rows.Load(frame, kParentRow, Count(parent_kinds, kAnyRow)) ||
      !far_times.Load(frame, kParentFar, Count(parent_kinds, kFarParent)) ||
      !DecodeNumberColumn(frame, kTraceKind, count, trace_kinds)) {
    return false;
  }
  const std::vector<uint32_t> order = OrderByTime(rows.start_ns);
  std::vector<uint32_t> far_clients;
  std::vector<uint32_t> low_hosts;
  for (size_t place = 0; place < count; ++place) {
    const uint32_t row = order[place];
    if (parent_kinds[place] == kFarParent) far_clients.push_back(rows.client[row]);
    if (trace_kinds[place] == kOwnTrace || trace_kinds[place] == kNewTrace) {
      low_hosts.push_back(rows.host[row]);
    }
  }
  const std::array<ColumnContext, 1> by_client = {{{&far_clients, rows.client_count}}};
  const std::array<ColumnContext, 1> by_host = {{{&low_hosts, rows.host_count}}};
  std::vector<uint64_t> lows;
  if (!far_counters.Load(frame, kParentCounter, far_clients.size(), by_client) ||
      !DecodeNumberColumn(frame, kTraceLow, low_hosts.size(), lows, by_host)) {
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
      {{&high_sources, static_cast<uint32_t>(sources.size())}}};
  Queue trace_backs;
  Queue high_times;
  Queue high_counters;
  if (!trace_backs.Load(frame, kTraceBack, Count(trace_kinds, kRecentTrace)) ||
      !high_times.Load(frame, kTraceHigh, high_sources.size()) ||
      !high_counters.Load(frame, kTraceCounter, high_sources.size(), by_source)) {
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

bool DecodeAliases(const FrameReader& frame, const LinkRows& rows, Links& links) {
  const size_t count = rows.size();
  links.alias_traces.assign(count, {});
  links.alias_parents.assign(count, 0);
  if (IsZeroColumn(frame, kAliasKind)) return true;
  std::vector<uint64_t> kinds;
  if (!DecodeNumberColumn(frame, kAliasKind, count, kinds)) return false;
  const size_t new_traces = Count(kinds, kNewAlias);
  const size_t new_pairs = new_traces + Count(kinds, kRecentAlias);
  Queue pair_backs;
  Queue trace_backs;
  if (!pair_backs.Load(frame, kAliasPairBack, Count(kinds, kRecentPair)) ||
      !trace_backs.Load(frame, kAliasTraceBack, Count(kinds, kRecentAlias))) {
    return false;
  }
  std::string traces_room;
  std::string parents_room;
  std::string_view trace_bytes;
  std::string_view parent_bytes;
  if (new_traces > 0) {
    const auto section = frame.Read(SectionOf(kAliasTraces), traces_room, new_traces * 16);
    if (!section.ok()) return false;
    trace_bytes = *section;
  }
  if (new_pairs > 0) {
    const auto section = frame.Read(SectionOf(kAliasParents), parents_room, new_pairs * 8);
    if (!section.ok()) return false;
    parent_bytes = *section;
  }
  if (trace_bytes.size() != new_traces * 16 || parent_bytes.size() != new_pairs * 8) return false;
  base::ByteReader trace_reader(base::AsBytes(trace_bytes));
  base::ByteReader parent_reader(base::AsBytes(parent_bytes));
  std::vector<TraceId> traces;
  std::vector<std::pair<TraceId, SpanId>> pairs;
  size_t at = 0;
  for (const uint32_t row : OrderByTime(rows.start_ns)) {
    const uint64_t kind = kinds[at++];
    if (kind == kNoAlias) continue;
    if (kind == kRecentPair) {
      const uint64_t back = pair_backs.Next();
      if (back >= pairs.size()) return false;
      const auto& [trace, parent] = pairs[pairs.size() - 1 - back];
      links.alias_traces[row] = trace;
      links.alias_parents[row] = parent;
      continue;
    }
    TraceId& trace = links.alias_traces[row];
    if (kind == kNewAlias) {
      trace.high = trace_reader.U64Le();
      trace.low = trace_reader.U64Le();
      traces.push_back(trace);
    } else if (kind == kRecentAlias) {
      const uint64_t back = trace_backs.Next();
      if (back >= traces.size()) return false;
      trace = traces[traces.size() - 1 - back];
    } else {
      return false;
    }
    links.alias_parents[row] = parent_reader.U64Le();
    pairs.emplace_back(trace, links.alias_parents[row]);
  }
  return true;
}

}  // namespace kindling::storage
