#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "agent/capture/events.h"
#include "agent/kernel/kernel_source.h"

namespace kindling::agent {

struct RecordedData : DataEvent {
  std::string payload;
};

// Keeps every event it is given.
class Recorder final : public EventSink {
 public:
  void OnConnOpen(const ConnOpen& event) override { opens.push_back(event); }
  void OnConnectFailure(const ConnectFailure& event) override { failures.push_back(event); }
  void OnConnCounters(const ConnCounters& event) override {
    (event.closed ? ends : counters).push_back(event);
  }
  void OnTcp(const TcpSample& sample) override {
    (sample.ended ? tcp_ends : tcp_samples).push_back(sample);
  }
  void OnListener(const ListenerSample& sample) override { listeners.push_back(sample); }
  void OnDrop(const DropSample& sample) override { drops.push_back(sample); }
  void OnDatagrams(const DatagramSample& sample) override { datagrams.push_back(sample); }
  void OnData(const DataEvent& event) override {
    RecordedData copy{
        event, std::string(reinterpret_cast<const char*>(event.bytes.data()), event.bytes.size())};
    copy.bytes = {};
    data.push_back(std::move(copy));
  }
  void OnListen(const ListenEvent& event) override { listens.push_back(event); }
  void OnTask(const TaskEvent& event) override { tasks.push_back(event); }
  void OnKernelLoss(const KernelLoss& event) override { loss = event; }
  void OnNat(const NatEvent& event) override { nat.push_back(event); }
  void OnNetwork(const NetworkReading&) override {}
  void OnTick(int64_t boot_ns, int64_t) override {
    tick_boot_ns = boot_ns;
    ++ticks;
  }

  std::vector<RecordedData> DataOf(ConnId id) const {
    std::vector<RecordedData> found;
    for (const RecordedData& event : data) {
      if (event.id == id) found.push_back(event);
    }
    return found;
  }

  std::vector<ConnOpen> opens;
  std::vector<ConnectFailure> failures;
  std::vector<ConnCounters> counters, ends;
  std::vector<TcpSample> tcp_samples, tcp_ends;
  std::vector<ListenerSample> listeners;
  std::vector<DropSample> drops;
  std::vector<DatagramSample> datagrams;
  std::vector<RecordedData> data;
  std::vector<ListenEvent> listens;
  std::vector<TaskEvent> tasks;
  std::vector<NatEvent> nat;
  KernelLoss loss;
  int64_t tick_boot_ns = 0;
  int ticks = 0;
};

// Drains until `done` holds; false after ten seconds.
inline bool DrainUntil(KernelSource& source, Recorder& recorder,
                       const std::function<bool()>& done) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (true) {
    source.Drain(recorder);
    if (done()) return true;
    if (std::chrono::steady_clock::now() > deadline) return false;
  }
}

}  // namespace kindling::agent
