#pragma once

#include <cstddef>
#include <deque>
#include <span>
#include <vector>

#include "agent/capture/events.h"

namespace kindling::agent {

// Holds datagrams whose sender is told only by a later record, and what follows them on the same
// connection, so that a connection's events keep their order.
// Threads: one.
// Limits: 4096 events; at the bound, after a second, and when the same thread goes on without
// having told it, events go on with their sender unknown.
class PeerWait {
 public:
  // Takes the event (its bytes are copied) if it must wait; false: the caller delivers it now.
  bool Hold(const DataEvent& event, bool peer_follows, EventSink& sink);
  // The sender of a held datagram has become known; delivers what no longer waits.
  void Resolve(ConnId id, uint64_t position, const IpAddress& remote, uint16_t port,
               EventSink& sink);
  // Delivers what has waited long enough at `boot_ns`.
  void Expire(int64_t boot_ns, EventSink& sink);
  // Delivers what is held of a connection that is about to end.
  void Release(ConnId id, EventSink& sink);
  bool empty() const { return held_.empty(); }
  bool Holds(ConnId id) const;

 private:
  struct Held {
    DataEvent event;
    std::vector<std::byte> bytes;
    bool waits = false;
  };

  static void GiveUp(Held& held);
  void DeliverReady(EventSink& sink);

  std::deque<Held> held_;
};

}  // namespace kindling::agent
