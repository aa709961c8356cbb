#pragma once

#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "agent/kernel/bpf_programs.h"
#include "agent/kernel/kernel_source.h"
#include "agent/kernel/peer_wait.h"
#include "agent/kernel/ring.h"

namespace kindling::agent {

// KernelSource over bpf/capture.bpf.c: what the programs write, as events in their order.
class BpfCapture final : public KernelSource {
 public:
  BpfCapture(std::unique_ptr<BpfPrograms> programs, std::unique_ptr<Ring> control,
             std::unique_ptr<Ring> data)
      : programs_(std::move(programs)), control_(std::move(control)), data_(std::move(data)) {}

  std::string_view hook() const override { return Name(programs_->hook()); }
  const std::vector<MissingHook>& missing() const override { return programs_->missing(); }
  absl::Status Start(EventSink& sink) override;
  void Drain(EventSink& sink) override;
  void SweepCounters(EventSink& sink) override;
  void SampleTcp(EventSink& sink) override;
  void SampleDrops(EventSink& sink) override;
  void Finish(EventSink& sink) override;
  void SetPayload(ConnId id, bool wanted) override { programs_->SetPayload(id, wanted); }
  void SetPayloadBytes(uint32_t bytes) override { programs_->SetPayloadBytes(bytes); }
  uint64_t bpf_memory_bytes() const override { return programs_->memory_bytes(); }
  std::vector<ProgramCost> program_costs() const override { return programs_->costs(); }

 private:
  // What is known of an open connection without asking the kernel.
  struct Known {
    ConnCounters last;
    bool is_ending = false;       // its end is known and waits to be given
    bool asks_for_peers = false;  // its datagrams may be held for their sender
    uint32_t seen_in_sweep = 0;
  };

  absl::Status FindSockets(EventSink& sink);
  void OnControl(std::span<const std::byte> record, EventSink& sink);
  // A record of a sample: of wire/tcp.h, or of a UDP socket.
  void OnTcpRecord(std::span<const std::byte> record, EventSink& sink);
  void OnOpen(const ConnOpen& open, EventSink& sink);
  void OnRecord(std::span<const std::byte> record, EventSink& sink);
  void GiveSwept(EventSink& sink);
  void GiveEnds(EventSink& sink);
  void ReportLoss(EventSink& sink);

  const std::unique_ptr<BpfPrograms> programs_;
  const std::unique_ptr<Ring> control_;
  const std::unique_ptr<Ring> data_;

  absl::flat_hash_map<ConnId, Known> known_;
  uint32_t sweeps_ = 0;
  std::set<std::pair<uint32_t, std::string>> unix_listeners_;  // told: process, path
  PeerWait peers_;
  // Held back for one cycle, so that the data before them is given first.
  std::vector<ConnCounters> ends_, ends_before_;
  std::vector<ConnCounters> swept_;  // of those that ask for peers
  std::vector<TaskEvent> exits_, exits_before_;
  KernelLoss reported_loss_;
  int64_t cycle_boot_ns_ = 0;  // start of the cycle before
  int64_t cycle_wall_ns_ = 0;
};

}  // namespace kindling::agent
