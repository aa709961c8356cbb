#pragma once

#include "agent/capture/events.h"
#include "agent/network/conntrack/conntrack_source.h"

namespace kindling::agent {

// Lets every connection be known by what NAT makes of it from its first event on: before it passes
// one on that may be the first, it passes on what conntrack has told until then.
//
// Threads: the capture thread only.
class NatFeed final : public EventSink {
 public:
  // Both must outlive this.
  NatFeed(ConntrackSource& source, EventSink& next) : source_(source), next_(next) {}

  void OnConnOpen(const ConnOpen& event) override {
    CatchUp();
    next_.OnConnOpen(event);
  }
  void OnConnectFailure(const ConnectFailure& event) override { next_.OnConnectFailure(event); }
  void OnConnCounters(const ConnCounters& event) override { next_.OnConnCounters(event); }
  void OnTcp(const TcpSample& sample) override { next_.OnTcp(sample); }
  void OnListener(const ListenerSample& sample) override { next_.OnListener(sample); }
  void OnData(const DataEvent& event) override {
    if (event.remote.size != 0) CatchUp();  // perhaps a new peer
    next_.OnData(event);
  }
  void OnListen(const ListenEvent& event) override { next_.OnListen(event); }
  void OnTask(const TaskEvent& event) override { next_.OnTask(event); }
  void OnKernelLoss(const KernelLoss& loss) override { next_.OnKernelLoss(loss); }
  void OnNat(const NatEvent& event) override { next_.OnNat(event); }
  void OnNetwork(const NetworkReading& reading) override { next_.OnNetwork(reading); }
  void OnTick(int64_t boot_ns, int64_t wall_ns) override {
    CatchUp();
    next_.OnTick(boot_ns, wall_ns);
  }

 private:
  void CatchUp() { source_.Deliver(next_); }

  ConntrackSource& source_;
  EventSink& next_;
};

}  // namespace kindling::agent
