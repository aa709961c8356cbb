#include "model/path_journeys.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

namespace kindling::model {
namespace {

constexpr size_t kTuplesMax = 16;   // of a journey
constexpr size_t kPacketsMax = 64;  // names of one packet
constexpr size_t kSendersMax = 1024;

bool IsEnd(PathPlace place) {
  return place == PathPlace::kDropped || place == PathPlace::kConsumed;
}
bool IsDelivery(PathPlace place) {
  return place == PathPlace::kSocket || place == PathPlace::kRead;
}

// A segment without payload that its socket had: what becomes of the buffer, when the socket is
// closed above all, is no loss. Kernels before 6.10 have no reason of their own for it.
bool IsLeftover(const PathHop& hop) {
  return hop.place == PathPlace::kDropped && hop.payload_bytes == 0 &&
         (hop.reason == "queue_purge" || hop.reason == "not_specified");
}

// Where a socket's packet begins: the same one is never sent twice.
bool IsSending(const PathHop& hop) {
  return hop.is_new && hop.of_socket && hop.place == PathPlace::kQueued;
}

}  // namespace

PathOutcome JourneyTable::OutcomeOf(const std::vector<PathHop>& hops) const {
  // Of copies, each has an end of its own: one that arrived is what counts.
  std::map<std::pair<std::string_view, uint64_t>, PathPlace> ends;
  for (const PathHop& hop : hops) {
    PathPlace& end = ends[{hop.node, hop.packet}];
    if (IsDelivery(end) && IsLeftover(hop)) continue;
    if (IsEnd(hop.place) || IsDelivery(hop.place)) {
      if (end == PathPlace::kUnknown || hop.place == PathPlace::kDropped) end = hop.place;
    }
  }
  bool is_dropped = false;
  bool is_done = false;
  for (const auto& [packet, end] : ends) {
    if (IsDelivery(end)) return PathOutcome::kDelivered;
    is_dropped |= end == PathPlace::kDropped;
    is_done |= end == PathPlace::kConsumed;
  }
  if (is_dropped) return PathOutcome::kDropped;
  if (is_done) return PathOutcome::kDone;
  const PathHop& last = hops.back();
  const auto receiver = senders_.find(last.tuple.destination);
  const bool has_arrived = last.place == PathPlace::kReceived && receiver != senders_.end() &&
                           receiver->second == Place{last.node, last.network_namespace};
  return has_arrived ? PathOutcome::kArrived : PathOutcome::kUnfinished;
}

std::string_view Name(PathOutcome outcome) {
  switch (outcome) {
    case PathOutcome::kUnfinished:
      return "unfinished";
    case PathOutcome::kDelivered:
      return "delivered";
    case PathOutcome::kDropped:
      return "dropped";
    case PathOutcome::kDone:
      return "done";
    case PathOutcome::kArrived:
      return "arrived";
  }
  return "";
}

const PathHop* PathJourney::drop() const {
  if (outcome != PathOutcome::kDropped) return nullptr;
  for (auto hop = hops.rbegin(); hop != hops.rend(); ++hop) {
    if (hop->place == PathPlace::kDropped) return &*hop;
  }
  return nullptr;
}

int64_t PathJourney::SinceLastNs(size_t hop) const {
  return hop == 0 || hop >= hops.size() ? 0 : hops[hop].wall_ns - hops[hop - 1].wall_ns;
}

bool PathJourney::CrossesClocks(size_t hop) const {
  return hop > 0 && hop < hops.size() && hops[hop].node != hops[hop - 1].node;
}

void JourneyTable::Add(PathHop hop, int64_t now_ns) {
  if (hop.place == PathPlace::kUnknown) {
    ++counts_.invalid_hops;
    return;
  }
  const PacketKey packet(hop.node, hop.packet);
  auto known = by_packet_.find(packet);
  LiveList::iterator live;
  if (known != by_packet_.end()) {
    live = known->second;
  } else if (!hop.is_new && remembered_set_.contains(packet)) {
    ++counts_.late_hops;
    return;
  } else {
    live = Find(hop);
    if (live == live_.end()) {
      if (live_.size() >= options_.journeys) {
        ++counts_.ended_early;
        End(live_.begin());
      }
      live_.emplace_back();
      live = std::prev(live_.end());
      live->journey.is_partial = !hop.is_new;
      live->identity = {hop.tuple.protocol, hop.ip_id, hop.sequence, hop.payload_bytes,
                        hop.is_fragment};
      by_identity_.emplace(live->identity, live);
    }
    by_packet_.emplace(packet, live);
    live->packets.push_back(packet);
  }
  live->last_added_ns = now_ns;
  if (IsSending(hop)) {
    live->has_sender = true;
    if (senders_.size() < kSendersMax) {
      senders_.insert_or_assign(hop.tuple.source, Place{hop.node, hop.network_namespace});
    }
  }
  if (live->tuples.size() < kTuplesMax &&
      std::ranges::find(live->tuples, hop.tuple) == live->tuples.end()) {
    live->tuples.push_back(hop.tuple);
  }
  if (live->journey.hops.size() >= options_.hops) {
    // How it ended is worth more than one place on the way.
    ++counts_.hops_beyond;
    ++live->journey.hops_beyond;
    if (IsEnd(hop.place)) live->journey.hops.back() = std::move(hop);
    return;
  }
  live->journey.hops.push_back(std::move(hop));
}

JourneyTable::LiveList::iterator JourneyTable::Find(const PathHop& hop) {
  const Identity identity(hop.tuple.protocol, hop.ip_id, hop.sequence, hop.payload_bytes,
                          hop.is_fragment);
  const auto [begin, end] = by_identity_.equal_range(identity);
  for (auto it = begin; it != end; ++it) {
    const Live& live = *it->second;
    if (live.packets.size() >= kPacketsMax) continue;
    if (live.has_sender && IsSending(hop)) continue;
    if (std::abs(live.journey.hops.back().wall_ns - hop.wall_ns) > options_.join_ns) continue;
    if (std::ranges::find(live.tuples, hop.tuple) != live.tuples.end()) return it->second;
  }
  return live_.end();
}

void JourneyTable::End(LiveList::iterator live) {
  std::ranges::stable_sort(live->journey.hops, {}, &PathHop::wall_ns);
  live->journey.outcome = OutcomeOf(live->journey.hops);
  over_.push_back(std::move(live->journey));
  for (const PacketKey& packet : live->packets) {
    by_packet_.erase(packet);
    Remember(packet);
  }
  const auto [begin, end] = by_identity_.equal_range(live->identity);
  for (auto it = begin; it != end; ++it) {
    if (it->second != live) continue;
    by_identity_.erase(it);
    break;
  }
  live_.erase(live);
}

void JourneyTable::Remember(const PacketKey& packet) {
  if (!remembered_set_.insert(packet).second) return;
  remembered_.push_back(packet);
  if (remembered_.size() <= options_.remembered) return;
  remembered_set_.erase(remembered_.front());
  remembered_.pop_front();
}

std::vector<PathJourney> JourneyTable::Take(int64_t now_ns, bool all) {
  for (auto live = live_.begin(); live != live_.end();) {
    const auto next = std::next(live);
    if (all || now_ns - live->last_added_ns >= options_.linger_ns) End(live);
    live = next;
  }
  return std::exchange(over_, {});
}

}  // namespace kindling::model
