#pragma once

#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "agent/kernel/attach_table.h"
#include "agent/kernel/kernel_facts.h"
#include "agent/kernel/kernel_source.h"
#include "agent/kernel/peer_wait.h"
#include "agent/kernel/ring.h"
#include "bpf/wire/counters.h"

struct bpf_link;
struct bpf_program;
struct capture_bpf;

namespace kindling::agent {

// KernelSource over bpf/capture.bpf.c.
class BpfCapture final : public KernelSource {
 public:
  static absl::StatusOr<std::unique_ptr<BpfCapture>> Load(const KernelSourceOptions& options);
  ~BpfCapture() override;

  std::string_view hook() const override { return Name(hook_); }
  const std::vector<MissingHook>& missing() const override { return missing_; }
  absl::Status Start(EventSink& sink) override;
  void Drain(EventSink& sink) override;
  void SweepCounters(EventSink& sink) override;
  void Finish(EventSink& sink) override;
  void SetPayload(ConnId id, bool wanted) override;
  void SetPayloadBytes(uint32_t bytes) override;
  uint64_t bpf_memory_bytes() const override;
  std::vector<ProgramCost> program_costs() const override;

 private:
  // What is known of an open connection without asking the kernel.
  struct Known {
    ConnCounters last;
    bool is_ending = false;       // its end is known and waits to be given
    bool asks_for_peers = false;  // its datagrams may be held for their sender
    uint32_t seen_in_sweep = 0;
  };

  explicit BpfCapture(const KernelSourceOptions& options) : options_(options) {}

  absl::Status ChooseHooks(const KernelFacts& facts);
  absl::Status LoadPrograms();
  absl::Status FillScope();
  absl::Status Attach(const AttachRow& row);
  absl::Status FindSockets(EventSink& sink);
  // Runs an iterator program to its end and returns all it wrote.
  absl::StatusOr<std::string> RunIterator(bpf_program* program, int map_fd);
  bool InUse(std::string_view hook) const;

  void OnControl(std::span<const std::byte> record, EventSink& sink);
  void OnOpen(const ConnOpen& open, EventSink& sink);
  void OnRecord(std::span<const std::byte> record, EventSink& sink);
  void GiveSwept(EventSink& sink);
  void GiveEnds(EventSink& sink);
  void ReportLoss(EventSink& sink);

  const KernelSourceOptions options_;
  DataHook hook_ = DataHook::kSocketTracepoints;
  std::vector<const AttachRow*> rows_;  // to attach
  std::vector<MissingHook> missing_;
  ResolvedScope scope_;
  capture_bpf* skeleton_ = nullptr;
  std::vector<bpf_link*> links_;
  std::unique_ptr<Ring> control_;
  std::unique_ptr<Ring> data_;
  kd_verdict* verdicts_ = nullptr;

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
