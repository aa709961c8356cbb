#pragma once

#include <cstdint>

#include "agent/capture/events.h"

namespace kindling::agent {

// Takes no event: for those who want some only.
class NoSink : public EventSink {
 public:
  void OnConnOpen(const ConnOpen&) override {}
  void OnConnectFailure(const ConnectFailure&) override {}
  void OnConnCounters(const ConnCounters&) override {}
  void OnTcp(const TcpSample&) override {}
  void OnListener(const ListenerSample&) override {}
  void OnDrop(const DropSample&) override {}
  void OnDatagrams(const DatagramSample&) override {}
  void OnData(const DataEvent&) override {}
  void OnListen(const ListenEvent&) override {}
  void OnTask(const TaskEvent&) override {}
  void OnKernelLoss(const KernelLoss&) override {}
  void OnNat(const NatEvent&) override {}
  void OnNetwork(const NetworkReading&) override {}
  void OnTick(int64_t, int64_t) override {}
};

// Passes every event on: for those who stand between and change some only.
class ForwardingSink : public EventSink {
 public:
  // `next` must outlive this.
  explicit ForwardingSink(EventSink& next) : next_(next) {}

  void OnConnOpen(const ConnOpen& event) override { next_.OnConnOpen(event); }
  void OnConnectFailure(const ConnectFailure& event) override { next_.OnConnectFailure(event); }
  void OnConnCounters(const ConnCounters& event) override { next_.OnConnCounters(event); }
  void OnTcp(const TcpSample& sample) override { next_.OnTcp(sample); }
  void OnListener(const ListenerSample& sample) override { next_.OnListener(sample); }
  void OnDrop(const DropSample& sample) override { next_.OnDrop(sample); }
  void OnDatagrams(const DatagramSample& sample) override { next_.OnDatagrams(sample); }
  void OnData(const DataEvent& event) override { next_.OnData(event); }
  void OnListen(const ListenEvent& event) override { next_.OnListen(event); }
  void OnTask(const TaskEvent& event) override { next_.OnTask(event); }
  void OnKernelLoss(const KernelLoss& loss) override { next_.OnKernelLoss(loss); }
  void OnNat(const NatEvent& event) override { next_.OnNat(event); }
  void OnNetwork(const NetworkReading& reading) override { next_.OnNetwork(reading); }
  void OnTick(int64_t boot_ns, int64_t wall_ns) override { next_.OnTick(boot_ns, wall_ns); }

 protected:
  EventSink& next_;
};

}  // namespace kindling::agent
