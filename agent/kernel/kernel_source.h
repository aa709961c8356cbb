#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/capture/events.h"
#include "agent/kernel/kernel_scope.h"

namespace kindling::agent {

struct KernelSourceOptions {
  ScopeOptions scope;
  std::string hook = "auto";            // auto, socket_tracepoints or sys_exit
  std::vector<std::string> disable;     // rows of the attach table, by hook
  uint32_t data_ring_bytes = 16 << 20;  // powers of two, from a page
  uint32_t control_ring_bytes = 1 << 20;
  uint32_t payload_bytes = 1024;  // of each call, at most 8192
  uint32_t connections = 65536;   // followed at once with the sys_exit path
  bool capture_self = false;      // this process's own sockets too
  std::string proc_root = "/proc";
};

// A row of the attach table that is not in use although the chosen path would have it.
struct MissingHook {
  std::string hook;
  std::string why;   // "disabled by config", "not in this kernel", ...
  std::string lost;  // what cannot be seen without it
};

struct ProgramCost {
  std::string program;
  uint64_t runs = 0;
  uint64_t run_time_ns = 0;
};

// The BPF programs of this agent: everything the kernel tells, as events.
// Threads: one; Start(), Drain() and the sweeps call the sink on it.
// Lifetime: programs are detached and maps freed with the object.
// Limits: rings and maps have the sizes of the options; what finds them full is counted in
// KernelLoss.
class KernelSource {
 public:
  // Loads the programs and fits the scope to this machine.
  // Failure: one line that says what is wrong and what to do.
  static absl::StatusOr<std::unique_ptr<KernelSource>> Open(const KernelSourceOptions& options);
  virtual ~KernelSource() = default;

  // The data path in use: "socket_tracepoints" or "sys_exit".
  virtual std::string_view hook() const = 0;
  // Known after Start().
  virtual const std::vector<MissingHook>& missing() const = 0;

  // Attaches, then finds the sockets that were there before. Between the two nothing is missed.
  virtual absl::Status Start(EventSink& sink) = 0;
  // One cycle: connections, data, ends of connections, losses if they changed, then a tick whose
  // time is the start of the cycle before, so that all that happened before it has been given.
  virtual void Drain(EventSink& sink) = 0;
  // Reports the counters of every open connection, and the end of those whose socket is gone.
  virtual void SweepCounters(EventSink& sink) = 0;
  // Reports TCP's state of every open connection and listener, and what UDP sockets have dropped.
  // After Start() it has been called once: what connections had done before is known.
  virtual void SampleTcp(EventSink& sink) = 0;
  // Reports the packets that were dropped since it was called before.
  virtual void SampleDrops(EventSink& sink) = 0;
  // The last cycles of a run: all that is there, with the counters of every open connection, so
  // that what was lost since the sweep before is known.
  virtual void Finish(EventSink& sink) = 0;
  // Turns the payload of a connection off (only lengths are reported) or on again.
  virtual void SetPayload(ConnId id, bool wanted) = 0;
  // From now on at most so many bytes of each call, never more than the options say. 0: no data
  // events at all, only the counters of connections go on.
  virtual void SetPayloadBytes(uint32_t bytes) = 0;

  // Memory of the maps, as the kernel accounts it.
  virtual uint64_t bpf_memory_bytes() const = 0;
  // Zeros unless the kernel keeps statistics (kernel.bpf_stats_enabled).
  virtual std::vector<ProgramCost> program_costs() const = 0;
};

}  // namespace kindling::agent
