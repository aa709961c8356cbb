#include "agent/live.h"

#include <glog/logging.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cstdio>
#include <memory>
#include <random>

#include "absl/cleanup/cleanup.h"
#include "absl/time/clock.h"
#include "agent/assembly.h"
#include "agent/config.h"
#include "agent/connections/capture_requests.h"
#include "agent/delivery.h"
#include "agent/identity/procfs_reader.h"
#include "agent/kernel/kernel_source.h"
#include "agent/network/host/scope_namespaces.h"
#include "agent/network_watch.h"
#include "agent/overload.h"
#include "agent/packets/capture_scope.h"
#include "agent/packets/owner_tap.h"
#include "agent/packets/packet_owners.h"
#include "agent/recording/mask.h"
#include "agent/recording/writer.h"
#include "agent/task_kinds.h"
#include "agent/tasks/attendance.h"
#include "agent/telemetry.h"
#include "base/process_usage.h"
#include "base/status_macros.h"
#include "base/version.h"

namespace kindling::agent {
namespace {

constexpr absl::Duration kAcknowledgeWait = absl::Seconds(5);
// Counters outside the rings are read this often, and soon after something was lost.
constexpr int64_t kSweepIntervalNs = 2'000'000'000;
constexpr int64_t kSweepAfterLossNs = 1'000'000'000;

std::string KernelRelease() {
  utsname names{};
  uname(&names);
  return names.release;
}

KernelSourceOptions KernelOptionsOf(const config::v1::AgentConfig& config) {
  KernelSourceOptions options;
  options.scope = ScopeOptionsOf(config);
  options.hook = config.capture().hook();
  options.disable = {config.capture().disable().begin(), config.capture().disable().end()};
  options.data_ring_bytes = config.capture().data_ring_bytes();
  options.control_ring_bytes = config.capture().control_ring_bytes();
  options.payload_bytes = config.capture().payload_bytes();
  options.connections = config.limits().connections();
  return options;
}

// What other threads may read of the capture thread's state.
struct Gauges {
  std::atomic<uint32_t> rung{0};
  std::atomic<uint64_t> connections{0};
  std::atomic<uint64_t> events{0};
  std::atomic<uint64_t> lost_events{0};
};

// Once a window, a little before its end: what a window's batch says of open connections is then as
// fresh as it can be.
class SampleClock {
 public:
  explicit SampleClock(int64_t window_ns) : window_ns_(window_ns) {}

  bool IsDue(int64_t wall_ns) {
    const int64_t window = (wall_ns + window_ns_ / 10) / window_ns_;
    const bool is_due = last_ != 0 && window != last_;
    last_ = window;
    return is_due;
  }

 private:
  const int64_t window_ns_;
  int64_t last_ = 0;
};

// Watches losses on their way to the pipeline.
class LossWatch {
 public:
  // True when a sweep is due: something was lost since the last one, or it is time.
  bool SweepDue(int64_t boot_ns, uint64_t lost) {
    const bool fresh = lost != swept_lost_;
    if (boot_ns < next_ns_ - (fresh ? kSweepIntervalNs - kSweepAfterLossNs : 0)) return false;
    swept_lost_ = lost;
    next_ns_ = boot_ns + kSweepIntervalNs;
    return true;
  }

 private:
  int64_t next_ns_ = 0;
  uint64_t swept_lost_ = 0;
};

void Apply(Rung rung, uint32_t payload_bytes, KernelSource& source, Aggregator& aggregator) {
  LOG(WARNING) << "CPU budget: capture goes on with " << Name(rung);
  source.SetPayloadBytes(rung == Rung::kFull       ? payload_bytes
                         : rung == Rung::kCounters ? 0
                                                   : kHeadBytes);
  aggregator.KeepSpans(rung < Rung::kAggregates);
}

}  // namespace

absl::Status RunLive(const config::v1::AgentConfig& config, const LiveOptions& options,
                     const std::atomic<bool>& stop) {
  const base::Clock& clock = base::SystemClock();
  ASSIGN_OR_RETURN(std::unique_ptr<KernelSource> source,
                   KernelSource::Open(KernelOptionsOf(config)));

  Gauges gauges;
  const auto health = [&gauges, bpf_bytes = source->bpf_memory_bytes()] {
    const base::ProcessUsage usage = base::ReadProcessUsage();
    return HealthSample{.rung = gauges.rung,
                        .rss_bytes = usage.resident_bytes,
                        .bpf_bytes = bpf_bytes,
                        .cpu_seconds = usage.cpu_seconds,
                        .connections = gauges.connections,
                        .events = gauges.events,
                        .lost_events = gauges.lost_events};
  };
  const RunIdentity identity{.kernel = KernelRelease(),
                             .capture_hook = std::string(source->hook()),
                             .scope = DescribeScope(config.scope())};
  Telemetry telemetry(config, clock);
  ASSIGN_OR_RETURN(std::unique_ptr<Delivery> delivery,
                   Delivery::Open(config, identity, clock, health, {telemetry.Tap()}));

  ProcfsReader procfs;
  const std::string own_cgroup = procfs.Read(static_cast<uint32_t>(getpid())).cgroup;
  Aggregator aggregator(AggregatorOptionsOf(config, std::random_device()()), &delivery->sink());
  RETURN_IF_ERROR(telemetry.Serve(aggregator, *delivery, health));
  const absl::Cleanup stop_serving = [&telemetry] { telemetry.StopServing(); };

  // The reader is chosen below, for a recording takes answers about processes too.
  struct SwitchableReader final : ProcessReader {
    ProcessFacts Read(uint32_t tgid) override { return target->Read(tgid); }
    ProcessReader* target = nullptr;
  } reader;
  reader.target = &procfs;
  Pipeline pipeline(PipelineOptionsOf(config, own_cgroup), reader, aggregator,
                    [&source](ConnId id, bool wanted) { source->SetPayload(id, wanted); });
  EventSink* sink = &pipeline;

  std::unique_ptr<RecordingWriter> recording;
  const int64_t start_boot_ns = clock.BootNs();
  const int64_t start_wall_ns = clock.WallNs();
  if (!options.record_path.empty()) {
    PayloadMask mask;
    if (!options.record_raw) {
      mask = [&pipeline, masker = std::make_shared<PayloadMasker>()](const DataEvent& event,
                                                                     std::span<std::byte> bytes) {
        const ConnTable::Kind kind = pipeline.conns().KindOf(event);
        masker->Mask(event, kind.protocol, kind.flow, bytes);
      };
    }
    ASSIGN_OR_RETURN(recording,
                     RecordingWriter::Open(options.record_path,
                                           {.software_version = std::string(base::kSoftwareVersion),
                                            .host = config.host(),
                                            .kernel = identity.kernel,
                                            .hook = identity.capture_hook,
                                            .config_yaml = options.config_yaml,
                                            .own_cgroup = own_cgroup,
                                            .start_boot_ns = start_boot_ns,
                                            .start_wall_ns = start_wall_ns,
                                            .raw = options.record_raw},
                                           pipeline, procfs, std::move(mask)));
    reader.target = recording.get();
    sink = recording.get();
  }
  PacketOwners packet_owners;
  OwnerTap owner_tap(*sink, pipeline, packet_owners, own_cgroup);
  sink = &owner_tap;
  ASSIGN_OR_RETURN(const CaptureScope capture_scope, CaptureScope::Open(config.scope()));

  const auto find_namespaces = [scope = ScopeOptionsOf(config)] {
    return FindNamespaces(scope, "/proc");
  };
  NetworkWatch network(config, find_namespaces);
  EventSink& captured = network.Through(*sink);

  pipeline.OnTick(start_boot_ns, start_wall_ns);
  network.Begin(*sink);
  RETURN_IF_ERROR(source->Start(captured));
  for (const MissingHook& hook : source->missing()) {
    std::fprintf(stderr, "without %s (%s): %s\n", hook.hook.c_str(), hook.why.c_str(),
                 hook.lost.c_str());
  }
  CaptureRequests requests;
  ASSIGN_OR_RETURN(
      std::unique_ptr<TaskAttendance> attendance,
      TaskAttendance::Create({.controller = ControllerAddressOf(config),
                              .agent_id = config.agent_id(),
                              .host = config.host(),
                              .cluster = config.cluster()},
                             TaskKindsOf(config, {requests, pipeline, *source, find_namespaces,
                                                  capture_scope, packet_owners})));
  attendance->Start();
  std::fprintf(stderr, "ready: capturing (%s), scope: %s\n", identity.capture_hook.c_str(),
               identity.scope.c_str());

  const absl::Duration interval = absl::Milliseconds(config.capture().drain_interval_ms());
  const absl::Time end = absl::Now() + options.duration;
  LossWatch losses;
  SampleClock samples(int64_t{config.window_s()} * 1'000'000'000);
  OverloadLadder ladder(config.capture().cpu_percent());
  absl::Status fatal;
  for (absl::Time next = absl::Now(); !stop && absl::Now() < end; next += interval) {
    if (const absl::Time now = absl::Now(); next < now)
      next = now;  // a late cycle is not made up for
    absl::SleepFor(next - absl::Now());
    source->Drain(captured);
    network.Deliver(*sink);
    if (samples.IsDue(clock.WallNs())) {
      network.Sample();
      source->SampleTcp(captured);
      source->SampleDrops(captured);
    }
    requests.Serve();
    gauges.connections = pipeline.connections();
    gauges.events = pipeline.events();
    gauges.lost_events = pipeline.lost_events();
    if (losses.SweepDue(clock.BootNs(), pipeline.lost_events())) {
      source->SweepCounters(captured);
      if (ladder.Update(clock.BootNs(), base::ReadProcessUsage().cpu_seconds)) {
        Apply(ladder.rung(), config.capture().payload_bytes(), *source, aggregator);
        gauges.rung = static_cast<uint32_t>(ladder.rung());
      }
      fatal = delivery->state().fatal;
      if (!fatal.ok()) break;
    }
  }
  requests.Close();
  attendance.reset();
  network.Sample();
  source->Finish(captured);
  network.Finish(*sink);
  source.reset();  // nothing is captured while the rest is handed over
  aggregator.Flush();
  absl::Status recorded;
  if (recording != nullptr) recorded = recording->Finish();
  const bool delivered = delivery->Stop(kAcknowledgeWait);
  RETURN_IF_ERROR(fatal);
  RETURN_IF_ERROR(delivery->state().fatal);
  RETURN_IF_ERROR(recorded);
  if (!delivered) {
    std::fprintf(stderr, "%d batches wait in %s for a controller\n",
                 static_cast<int>(delivery->unacknowledged()), config.spool().directory().c_str());
  }
  return absl::OkStatus();
}

}  // namespace kindling::agent
