#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/capture/events.h"
#include "agent/kernel/attach_table.h"
#include "agent/kernel/drop_counters.h"
#include "agent/kernel/drop_reasons.h"
#include "agent/kernel/kernel_facts.h"
#include "agent/kernel/kernel_source.h"
#include "bpf/wire/counters.h"

struct bpf_link;
struct bpf_program;
struct capture_bpf;

namespace kindling::agent {

// bpf/capture.bpf.c in the kernel: the hooks chosen, the programs loaded, their scope filled, and
// what they keep beside the rings.
//
// Threads:  one.
// Lifetime: programs are detached and maps freed with the object.
class BpfPrograms {
 public:
  // Loads what this kernel has and the options allow; nothing runs yet.
  static absl::StatusOr<std::unique_ptr<BpfPrograms>> Load(const KernelSourceOptions& options);
  BpfPrograms(const BpfPrograms&) = delete;
  BpfPrograms& operator=(const BpfPrograms&) = delete;
  ~BpfPrograms();

  // Attaches all but the iterators, and takes what the processes in scope have started by now into
  // the scope. A hook that cannot be attached is missing; the data path's is an error.
  absl::Status AttachAll();

  DataHook hook() const { return hook_; }
  // Known after AttachAll().
  const std::vector<MissingHook>& missing() const { return missing_; }

  // What the iterator over open files wrote: control records. Empty where it is not in use.
  absl::StatusOr<std::string> FindSockets();
  // What the iterator over the connections wrote: kd_counters. REQUIRES: can_sweep().
  absl::StatusOr<std::string> ReadCounters();
  bool can_sweep() const;
  // What the iterator over TCP's sockets wrote: kd_tcp_stats and kd_listener_stats. Empty where it
  // is not in use.
  absl::StatusOr<std::string> SampleTcp();
  // The packets dropped since the call before. Nothing where the hook is not in use.
  absl::Status ReadDrops(int64_t boot_ns, EventSink& sink);
  // Names of the reasons for resets, by the number that this kernel gives them: "abort_on_close".
  const std::vector<std::string>& reset_reasons() const { return reset_reasons_; }

  void SetPayload(ConnId id, bool wanted);
  void SetPayloadBytes(uint32_t bytes);

  KernelLoss loss() const;
  int control_ring_fd() const;
  int data_ring_fd() const;
  uint64_t memory_bytes() const;
  std::vector<ProgramCost> costs() const;

 private:
  explicit BpfPrograms(const KernelSourceOptions& options) : options_(options) {}

  absl::Status ChooseHooks(const KernelFacts& facts);
  absl::Status LoadPrograms();
  absl::Status FillScope();
  absl::Status Attach(const AttachRow& row);
  bool InUse(std::string_view hook) const;
  // Runs an iterator program to its end and returns all it wrote.
  absl::StatusOr<std::string> RunIterator(bpf_program* program, int map_fd);

  const KernelSourceOptions options_;
  DataHook hook_ = DataHook::kSocketTracepoints;
  std::vector<const AttachRow*> rows_;  // to attach
  std::vector<MissingHook> missing_;
  bool has_reset_reasons_ = false;
  bool has_retransmit_errors_ = false;
  std::vector<std::string> reset_reasons_;
  int drop_arguments_ = 0;  // that the hook of dropped packets gives
  DropReasons drop_reasons_;
  std::unique_ptr<DropCounters> drops_;  // null: the hook is not in use
  ResolvedScope scope_;
  capture_bpf* skeleton_ = nullptr;
  std::vector<bpf_link*> links_;
  kd_verdict* verdicts_ = nullptr;
};

}  // namespace kindling::agent
