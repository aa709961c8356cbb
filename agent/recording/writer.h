#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/capture/events.h"
#include "agent/identity/process_facts.h"

namespace kindling::agent {

struct RecordingHeader {
  std::string software_version;
  std::string host;
  std::string kernel;
  std::string hook;
  std::string config_yaml;
  std::string own_cgroup;
  int64_t start_boot_ns = 0;
  int64_t start_wall_ns = 0;
  bool raw = false;
};

// Replaces values in `bytes` by others of the same length, so that the protocol still parses.
using PayloadMask = std::function<void(const DataEvent& event, std::span<std::byte> bytes)>;

// Writes a recording of what passes through it on its way to `next`. An event is recorded after
// `next` has taken it, so that a mask may ask the pipeline what the event was.
//
// Threads: the capture thread only.
// Failure: a write error stops the recording, not the agent; status() says what it was.
class RecordingWriter final : public EventSink, public ProcessReader {
 public:
  // `next` and `reader` must outlive this. `mask` may be null: payload and command
  // lines are written as they are.
  static absl::StatusOr<std::unique_ptr<RecordingWriter>> Open(const std::string& path,
                                                               const RecordingHeader& header,
                                                               EventSink& next,
                                                               ProcessReader& reader,
                                                               PayloadMask mask);
  ~RecordingWriter() override;

  // Flushes and closes the file. Nothing is recorded after it.
  absl::Status Finish();
  const absl::Status& status() const { return status_; }
  uint64_t frames() const { return frames_; }

  // ProcessReader
  ProcessFacts Read(uint32_t tgid) override;
  // EventSink
  void OnConnOpen(const ConnOpen& event) override;
  void OnConnectFailure(const ConnectFailure& event) override;
  void OnConnCounters(const ConnCounters& event) override;
  void OnTcp(const TcpSample& sample) override;
  void OnListener(const ListenerSample& sample) override;
  void OnDrop(const DropSample& sample) override;
  void OnDatagrams(const DatagramSample& sample) override;
  void OnData(const DataEvent& event) override;
  void OnListen(const ListenEvent& event) override;
  void OnTask(const TaskEvent& event) override;
  void OnKernelLoss(const KernelLoss& loss) override;
  void OnNat(const NatEvent& event) override;
  void OnNetwork(const NetworkReading& reading) override;
  void OnTick(int64_t boot_ns, int64_t wall_ns) override;

 private:
  struct Output;
  RecordingWriter(EventSink& next, ProcessReader& reader, PayloadMask mask);
  void Write();

  EventSink& next_;
  ProcessReader& reader_;
  const PayloadMask mask_;
  std::unique_ptr<Output> output_;  // null once finished
  absl::Status status_;
  uint64_t frames_ = 0;
};

}  // namespace kindling::agent
