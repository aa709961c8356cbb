#pragma once

#include "agent/capture/event_sinks.h"
#include "agent/capture/events.h"
#include "agent/network/conntrack/conntrack_source.h"

namespace kindling::agent {

// Lets every connection be known by what NAT makes of it from its first event on: before it passes
// one on that may be the first, it passes on what conntrack has told until then.
//
// Threads: the capture thread only.
class NatFeed final : public ForwardingSink {
 public:
  // Both must outlive this.
  NatFeed(ConntrackSource& source, EventSink& next) : ForwardingSink(next), source_(source) {}

  void OnConnOpen(const ConnOpen& event) override {
    CatchUp();
    next_.OnConnOpen(event);
  }
  void OnData(const DataEvent& event) override {
    if (event.remote.size != 0) CatchUp();  // perhaps a new peer
    next_.OnData(event);
  }
  void OnTick(int64_t boot_ns, int64_t wall_ns) override {
    CatchUp();
    next_.OnTick(boot_ns, wall_ns);
  }

 private:
  void CatchUp() { source_.Deliver(next_); }

  ConntrackSource& source_;
};

}  // namespace kindling::agent
