#include "agent/kernel/peer_wait.h"

#include <algorithm>
#include <utility>

namespace kindling::agent {
namespace {

constexpr size_t kHeldMax = 4096;
constexpr int64_t kWaitNs = 1'000'000'000;

}  // namespace

void PeerWait::GiveUp(Held& held) {
  if (held.waits) held.event.remote_unknown = true;
  held.waits = false;
}

bool PeerWait::Holds(ConnId id) const {
  return std::ranges::any_of(held_, [&](const Held& held) { return held.event.id == id; });
}

bool PeerWait::Hold(const DataEvent& event, bool peer_follows, EventSink& sink) {
  if (held_.empty() && !peer_follows) return false;
  const bool is_full = held_.size() >= kHeldMax;
  for (Held& held : held_) {
    // A thread tells the sender of its last datagram before it goes on: that record is lost.
    if (is_full || (held.event.id == event.id && held.event.tid == event.tid)) GiveUp(held);
  }
  DeliverReady(sink);
  if (!peer_follows && !Holds(event.id)) return false;
  Held held{
      .event = event, .bytes = {event.bytes.begin(), event.bytes.end()}, .waits = peer_follows};
  held_.push_back(std::move(held));
  return true;
}

void PeerWait::Resolve(ConnId id, uint64_t position, const IpAddress& remote, uint16_t port,
                       EventSink& sink) {
  for (Held& held : held_) {
    if (held.event.id != id || held.event.position != position || !held.waits) continue;
    held.event.remote = remote;
    held.event.remote_port = port;
    held.waits = false;
    break;
  }
  DeliverReady(sink);
}

void PeerWait::Expire(int64_t boot_ns, EventSink& sink) {
  for (Held& held : held_) {
    if (boot_ns - held.event.boot_ns > kWaitNs) GiveUp(held);
  }
  DeliverReady(sink);
}

void PeerWait::Release(ConnId id, EventSink& sink) {
  for (Held& held : held_) {
    if (held.event.id == id) GiveUp(held);
  }
  DeliverReady(sink);
}

void PeerWait::DeliverReady(EventSink& sink) {
  std::vector<ConnId> blocked;
  std::deque<Held> rest;
  for (Held& held : held_) {
    const bool is_blocked = std::ranges::find(blocked, held.event.id) != blocked.end();
    if (held.waits || is_blocked) {
      if (!is_blocked) blocked.push_back(held.event.id);
      rest.push_back(std::move(held));
      continue;
    }
    held.event.bytes = held.bytes;
    sink.OnData(held.event);
  }
  held_ = std::move(rest);
}

}  // namespace kindling::agent
