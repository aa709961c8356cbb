#include "controller/query/flow_cache.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/time/clock.h"
#include "base/status_macros.h"
#include "controller/query/completeness.h"
#include "storage/align.h"

namespace kindling::controller {
namespace {

constexpr int64_t kMinuteNs = int64_t{60} * 1'000'000'000;
constexpr int64_t kHourNs = 60 * kMinuteNs;
constexpr int64_t kLongNs = 48 * kHourNs;
// Around a span or a trace.
constexpr int64_t kAroundNs = 2 * kMinuteNs;
constexpr int64_t kAroundStepNs = 15 * kMinuteNs;
// What takes no longer to load is always loaded anew.
constexpr absl::Duration kCheap = absl::Milliseconds(20);
constexpr int kShare = 10;
constexpr size_t kMaxEntries = 256;
// Of a group, of an edge and of a name, with the texts that do not fit into their strings.
constexpr size_t kGroupBytes = 1100;
constexpr size_t kEdgeBytes = 1100;
constexpr size_t kNameBytes = 700;

Range Widen(const Range& range, int64_t step_ns) {
  return {storage::AlignDown(range.start_ns, step_ns),
          std::max(storage::AlignUp(range.end_ns, step_ns), step_ns)};
}

}  // namespace

NamedFlows::NamedFlows(LoadedEdges loaded, const Range& range)
    : loaded_(std::move(loaded)),
      range_(range),
      edges_(EdgesConcerned(*loaded_.groups, model::Filter(), model::RecordKind::kSpan)) {}

NamedFlows::EndsList NamedFlows::PossibleNames(const storage::SpanEnds& ends) const {
  {
    absl::MutexLock lock(&mu_);
    const auto known = names_.find(ends);
    if (known != names_.end()) return known->second;
  }
  auto names = std::make_shared<const std::vector<EdgeGroups::Ends>>(FindPossibleNames(ends));
  absl::MutexLock lock(&mu_);
  if (names_.size() < kMaxRemembered) names_.emplace(ends, names);
  return names;
}

std::vector<EdgeGroups::Ends> NamedFlows::FindPossibleNames(const storage::SpanEnds& ends) const {
  std::set<int64_t> times = {range_.start_ns};
  const auto add_changes = [&](const model::Party& party, uint16_t port) {
    if (!party.workload.empty()) return true;
    const auto changes = loaded_.addresses->ChangesOf(party.address, port, ends.transport,
                                                      range_.start_ns, kMaxNames);
    if (changes) times.insert(changes->begin(), changes->end());
    return changes.has_value();
  };
  std::vector<EdgeGroups::Ends> names;
  if (!add_changes(ends.client, 0) || !add_changes(ends.server, ends.server.port)) return names;
  for (const int64_t time_ns : times) {
    EdgeGroups::Ends at = loaded_.groups->NameEnds(ends.side, ends.client, ends.server,
                                                   ends.protocol, ends.transport, time_ns);
    if (std::find(names.begin(), names.end(), at) == names.end()) names.push_back(std::move(at));
  }
  return names;
}

EdgeGroups::Ends NamedFlows::NamesOf(const model::Span& span) const {
  return loaded_.groups->NameEnds(span.side, span.client, span.server, span.protocol,
                                  span.transport, span.start_ns + span.duration_ns());
}

void NamedFlows::AddCompleteness(const QueryContext& context, const model::Filter& filter,
                                 const Range& range, CompletenessSum& completeness) const {
  // What else a filter asks for than ends, rows of flows do not tell.
  const bool is_all = !filter.Needs().asks_ends;
  std::vector<MapEdge> some;
  if (!is_all) some = EdgesConcerned(*loaded_.groups, filter, model::RecordKind::kSpan);
  const std::vector<MapEdge>& edges = is_all ? edges_ : some;
  completeness.AddCaptured(edges);
  AddMissing(context, loaded_, filter, model::RecordKind::kSpan, range, edges, completeness);
}

size_t NamedFlows::memory_bytes() const {
  return sizeof(*this) + loaded_.groups->groups().size() * kGroupBytes +
         edges_.size() * kEdgeBytes +
         std::min(kMaxRemembered, loaded_.groups->groups().size()) * kNameBytes;
}

std::shared_ptr<FlowCache::Entry> FlowCache::EntryOf(const Key& key) {
  absl::MutexLock lock(&mu_);
  const auto known = by_key_.find(key);
  if (known != by_key_.end()) {
    entries_.splice(entries_.begin(), entries_, known->second);
  } else {
    entries_.push_front(std::make_shared<Entry>(key));
    by_key_[key] = entries_.begin();
    Evict();
  }
  return entries_.front();
}

void FlowCache::Evict() {
  while (entries_.size() > 1 && (bytes_ > max_bytes_ || entries_.size() > kMaxEntries)) {
    bytes_ -= entries_.back()->bytes;
    by_key_.erase(entries_.back()->key);
    entries_.pop_back();
  }
}

void FlowCache::NoteSize(const std::shared_ptr<Entry>& entry, size_t bytes) {
  absl::MutexLock lock(&mu_);
  ++loads_;
  const auto known = by_key_.find(entry->key);
  // Evicted meanwhile.
  if (known == by_key_.end() || *known->second != entry) return;
  bytes_ += bytes - std::exchange(entry->bytes, bytes);
  Evict();
}

absl::StatusOr<std::shared_ptr<const NamedFlows>> FlowCache::Get(const QueryContext& context,
                                                                 const Range& range) {
  const bool is_long = range.end_ns - range.start_ns >= kLongNs;
  const Range whole = Widen(range, is_long ? kHourNs : kMinuteNs);
  const Caller& caller = context.caller;
  const std::shared_ptr<Entry> entry =
      EntryOf({caller.tenant, caller.cluster, whole.start_ns, whole.end_ns});
  absl::MutexLock lock(&entry->mu);
  // Before anything is read: what comes after this may be missed, and is noticed the next time.
  const uint64_t changes = context.sources.store.ChangesIn(whole.start_ns, whole.end_ns);
  const absl::Time now = absl::Now();
  if (entry->flows != nullptr) {
    const bool is_recent = entry->took > kCheap && now < entry->loaded + kShare * entry->took;
    if (entry->changes == changes || is_recent) return entry->flows;
  }
  ASSIGN_OR_RETURN(LoadedEdges loaded, LoadEdges(context, whole, EdgeDetail::kFlows));
  entry->flows = std::make_shared<const NamedFlows>(std::move(loaded), whole);
  entry->changes = changes;
  entry->loaded = absl::Now();
  entry->took = entry->loaded - now;
  NoteSize(entry, entry->flows->memory_bytes());
  return entry->flows;
}

absl::StatusOr<std::shared_ptr<const NamedFlows>> FlowCache::GetAround(const QueryContext& context,
                                                                       const Range& range) {
  return Get(context, Widen({std::max<int64_t>(range.start_ns - kAroundNs, 0),
                             std::min(range.end_ns, INT64_MAX - kAroundNs) + kAroundNs},
                            kAroundStepNs));
}

uint64_t FlowCache::loads() const {
  absl::MutexLock lock(&mu_);
  return loads_;
}

size_t FlowCache::memory_bytes() const {
  absl::MutexLock lock(&mu_);
  return bytes_;
}

}  // namespace kindling::controller
