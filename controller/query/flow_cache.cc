#include "controller/query/flow_cache.h"

#include <algorithm>
#include <set>
#include <string>
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
constexpr int kShare = 25;
constexpr size_t kMaxEntries = 256;
// Flows of more time than this are not taken for what happened in a moment of it.
constexpr int64_t kLongAroundNs = kHourNs + kMinuteNs;
// Of a name that is remembered, and of what else hangs on a group.
constexpr size_t kNameBytes = 700;
constexpr size_t kOtherBytes = 300;

// What a text takes beside its string.
size_t BytesOf(const std::string& text) {
  static const size_t kInside = std::string().capacity();
  return text.capacity() > kInside ? text.capacity() + 1 : 0;
}
size_t BytesOf(const EndName& end) {
  return BytesOf(end.name) + BytesOf(end.kind) + BytesOf(end.host);
}
size_t BytesOf(const model::Party& party) { return BytesOf(party.address); }
size_t BytesOf(const std::set<std::string>& texts) {
  constexpr size_t kNode = 4 * sizeof(void*) + sizeof(std::string);
  size_t bytes = 0;
  for (const std::string& text : texts) bytes += kNode + BytesOf(text);
  return bytes;
}

Range Widen(const Range& range, int64_t step_ns) {
  return {storage::AlignDown(range.start_ns, step_ns),
          std::max(storage::AlignUp(range.end_ns, step_ns), step_ns)};
}

}  // namespace

NamedFlows::NamedFlows(LoadedEdges loaded, const Range& range)
    : loaded_(std::move(loaded)),
      range_(range),
      edges_(EdgesConcerned(*loaded_.groups, model::Filter(), model::RecordKind::kSpan)),
      memory_bytes_(CountBytes()) {}

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

size_t NamedFlows::CountBytes() const {
  const std::vector<EdgeGroup>& groups = loaded_.groups->groups();
  size_t bytes = sizeof(*this) + std::min(kMaxRemembered, groups.size()) * kNameBytes;
  for (const EdgeGroup& group : groups) {
    bytes += sizeof(group) + kOtherBytes + BytesOf(group.client) + BytesOf(group.server) +
             BytesOf(group.sum.client) + BytesOf(group.sum.server);
  }
  for (const MapEdge& edge : edges_) {
    bytes += sizeof(edge) + BytesOf(edge.client) + BytesOf(edge.server) +
             BytesOf(edge.client_hosts) + BytesOf(edge.server_hosts);
    for (const std::string& note : edge.notes) bytes += sizeof(std::string) + BytesOf(note);
  }
  return bytes;
}

bool FlowCache::Loaded::IsGood(uint64_t last_change, absl::Time now) const {
  if (flows == nullptr) return false;
  return last_change <= changes || (took > kCheap && now < at + kShare * took);
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
    const Loaded& loaded = entries_.back()->loaded;
    if (loaded.flows != nullptr) bytes_ -= loaded.flows->memory_bytes();
    by_key_.erase(entries_.back()->key);
    entries_.pop_back();
  }
}

std::shared_ptr<const NamedFlows> FlowCache::FindGood(const Entry& entry,
                                                      uint64_t last_change) const {
  absl::MutexLock lock(&mu_);
  return entry.loaded.IsGood(last_change, absl::Now()) ? entry.loaded.flows : nullptr;
}

std::shared_ptr<const NamedFlows> FlowCache::FindCovering(const QueryContext& context,
                                                          const Range& range) {
  // What else of its time has changed since does not matter to the question.
  const uint64_t last_change = context.sources.store.ChangesIn(range.start_ns, range.end_ns);
  const absl::Time now = absl::Now();
  absl::MutexLock lock(&mu_);
  // The shortest: in less time fewer addresses change hands.
  auto best = entries_.end();
  int64_t best_ns = kLongAroundNs + 1;
  for (auto it = entries_.begin(); it != entries_.end(); ++it) {
    const auto& [tenant, cluster, start_ns, end_ns] = (*it)->key;
    if (tenant != context.caller.tenant || cluster != context.caller.cluster) continue;
    if (start_ns > range.start_ns || end_ns < range.end_ns || end_ns - start_ns >= best_ns)
      continue;
    if (!(*it)->loaded.IsGood(last_change, now)) continue;
    best = it;
    best_ns = end_ns - start_ns;
  }
  if (best == entries_.end()) return nullptr;
  entries_.splice(entries_.begin(), entries_, best);
  return entries_.front()->loaded.flows;
}

void FlowCache::Put(Entry& entry, Loaded loaded) {
  absl::MutexLock lock(&mu_);
  ++loads_;
  const auto known = by_key_.find(entry.key);
  const bool is_kept = known != by_key_.end() && known->second->get() == &entry;
  if (is_kept) bytes_ += loaded.flows->memory_bytes();
  if (is_kept && entry.loaded.flows != nullptr) bytes_ -= entry.loaded.flows->memory_bytes();
  std::swap(entry.loaded, loaded);  // the old one goes after the lock
  Evict();
}

absl::StatusOr<std::shared_ptr<const NamedFlows>> FlowCache::Get(const QueryContext& context,
                                                                 const Range& range) {
  const bool is_long = range.end_ns - range.start_ns >= kLongNs;
  const Range whole = Widen(range, is_long ? kHourNs : kMinuteNs);
  const Caller& caller = context.caller;
  const std::shared_ptr<Entry> entry =
      EntryOf({caller.tenant, caller.cluster, whole.start_ns, whole.end_ns});
  absl::MutexLock lock(&entry->loading);
  // Before anything is read: what comes after this may be missed, and is noticed the next time.
  const uint64_t changes = context.sources.store.ChangesIn(whole.start_ns, whole.end_ns);
  if (auto flows = FindGood(*entry, changes)) return flows;
  const absl::Time began = absl::Now();
  ASSIGN_OR_RETURN(LoadedEdges edges, LoadEdges(context, whole, EdgeDetail::kFlows));
  Loaded loaded{.flows = std::make_shared<const NamedFlows>(std::move(edges), whole),
                .changes = changes,
                .at = absl::Now()};
  loaded.took = loaded.at - began;
  auto flows = loaded.flows;
  Put(*entry, std::move(loaded));
  return flows;
}

absl::StatusOr<std::shared_ptr<const NamedFlows>> FlowCache::GetAround(const QueryContext& context,
                                                                       const Range& range) {
  Range around{std::max<int64_t>(range.start_ns - kAroundNs, 0),
               std::min(range.end_ns, INT64_MAX - kAroundNs) + kAroundNs};
  // Of the minute that is now, what there was when it was loaded will do.
  const int64_t now_ns = storage::AlignDown(context.sources.clock.WallNs(), kMinuteNs);
  if (auto flows = FindCovering(
          context, {around.start_ns, std::min(around.end_ns, std::max(range.end_ns, now_ns))})) {
    return flows;
  }
  return Get(context, Widen(around, kAroundStepNs));
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
