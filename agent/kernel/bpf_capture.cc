#include "agent/kernel/bpf_capture.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <glog/logging.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <limits>
#include <set>
#include <tuple>

#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "agent/kernel/libbpf_log.h"
#include "agent/kernel/translate.h"
#include "base/clock.h"
#include "base/errno_status.h"
#include "base/status_macros.h"
#include "bpf/capture.skel.h"
#include "bpf/wire/control.h"
#include "bpf/wire/data.h"

namespace kindling::agent {
namespace {

constexpr uint32_t kVerdicts = 65536;  // KD_VERDICTS
constexpr size_t kUnixListenersMax = 4096;
constexpr absl::Duration kWritten = absl::Milliseconds(5);

absl::Status NotAllowed() {
  return absl::PermissionDeniedError(
      "capture needs root: run the agent as root, or with CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN, "
      "CAP_SYS_PTRACE and CAP_SYS_RESOURCE");
}

absl::Status CheckOptions(const KernelSourceOptions& options) {
  const long page_bytes = sysconf(_SC_PAGESIZE);
  for (uint32_t bytes : {options.data_ring_bytes, options.control_ring_bytes}) {
    if (!std::has_single_bit(bytes) || bytes < page_bytes) {
      return absl::InvalidArgumentError(absl::StrFormat(
          "ring size %d: must be a power of two of at least %d bytes", bytes, page_bytes));
    }
  }
  if (options.payload_bytes > 8192) {
    return absl::InvalidArgumentError("payload_bytes: at most 8192");
  }
  if (options.hook != "auto" && options.hook != "socket_tracepoints" &&
      options.hook != "sys_exit") {
    return absl::InvalidArgumentError(
        absl::StrFormat("hook \"%s\": must be auto, socket_tracepoints or sys_exit", options.hook));
  }
  for (const std::string& hook : options.disable) {
    if (!IsAttachRow(hook)) {
      return absl::InvalidArgumentError(
          absl::StrFormat("disable: no hook is named \"%s\"; see kindling-agent doctor", hook));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<KernelSource>> KernelSource::Open(
    const KernelSourceOptions& options) {
  auto capture = BpfCapture::Load(options);
  if (!capture.ok()) return capture.status();
  return std::unique_ptr<KernelSource>(*std::move(capture));
}

absl::StatusOr<std::unique_ptr<BpfCapture>> BpfCapture::Load(const KernelSourceOptions& options) {
  InstallLibbpfLog();
  RETURN_IF_ERROR(CheckOptions(options));
  std::unique_ptr<BpfCapture> capture(new BpfCapture(options));
  ASSIGN_OR_RETURN(capture->scope_, ResolveScope(options.scope, options.proc_root));
  if (geteuid() != 0 && bpf_obj_get("/dev/null") < 0 && errno == EPERM) return NotAllowed();
  ASSIGN_OR_RETURN(std::unique_ptr<KernelFacts> facts, KernelFacts::Read());
  RETURN_IF_ERROR(capture->ChooseHooks(*facts));
  RETURN_IF_ERROR(capture->LoadPrograms());
  RETURN_IF_ERROR(capture->FillScope());
  return capture;
}

BpfCapture::~BpfCapture() {
  for (bpf_link* link : links_) bpf_link__destroy(link);
  if (verdicts_ != nullptr) munmap(verdicts_, kVerdicts * sizeof(kd_verdict));
  if (skeleton_ != nullptr) capture_bpf::destroy(skeleton_);
}

absl::Status BpfCapture::ChooseHooks(const KernelFacts& facts) {
  const auto is_disabled = [&](const AttachRow& row) {
    return std::ranges::find(options_.disable, row.hook) != options_.disable.end();
  };
  const auto is_usable = [&](AttachUse use) {
    return std::ranges::all_of(AttachTable(), [&](const AttachRow& row) {
      // The sweep is no reason to give up a data path.
      return row.use != use || row.hook.starts_with("iter/") ||
             (!is_disabled(row) && facts.Has(row));
    });
  };
  const bool has_tracepoints = is_usable(AttachUse::kSocketTracepoints);
  const bool has_sys_exit = is_usable(AttachUse::kSysExit);
  // Before 6.5 sendfile() does not pass the socket tracepoints.
  const bool tracepoints_see_all = facts.version() >= KernelVersion{6, 5};
  if (options_.hook == "socket_tracepoints" ? !has_tracepoints
      : options_.hook == "sys_exit"         ? !has_sys_exit
                                            : !has_tracepoints && !has_sys_exit) {
    return absl::FailedPreconditionError(absl::StrFormat(
        "capture hook \"%s\" is %s; see kindling-agent doctor", options_.hook,
        options_.disable.empty() ? "not in this kernel" : "disabled, or not in this kernel"));
  }
  if (options_.hook == "auto") {
    hook_ = has_tracepoints && (tracepoints_see_all || !has_sys_exit) ? DataHook::kSocketTracepoints
                                                                      : DataHook::kSysExit;
  } else {
    hook_ = options_.hook == "sys_exit" ? DataHook::kSysExit : DataHook::kSocketTracepoints;
  }
  const AttachUse other =
      hook_ == DataHook::kSysExit ? AttachUse::kSocketTracepoints : AttachUse::kSysExit;
  for (const AttachRow& row : AttachTable()) {
    if (row.use == other) continue;
    if (is_disabled(row) || !facts.Has(row)) {
      missing_.push_back({.hook = std::string(row.hook),
                          .why = is_disabled(row) ? "disabled by config" : "not in this kernel",
                          .lost = std::string(row.lost_without)});
      continue;
    }
    rows_.push_back(&row);
  }
  return absl::OkStatus();
}

bool BpfCapture::InUse(std::string_view hook) const {
  return std::ranges::any_of(rows_, [&](const AttachRow* row) { return row->hook == hook; });
}

absl::Status BpfCapture::LoadPrograms() {
  TakeLibbpfLog();
  skeleton_ = capture_bpf::open();
  if (skeleton_ == nullptr) return base::ErrnoStatus(errno, "open the BPF programs");
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, skeleton_->obj) {
    const std::string_view name = bpf_program__name(program);
    bpf_program__set_autoload(program, std::ranges::any_of(rows_, [&](const AttachRow* row) {
                                return row->program == name;
                              }));
  }
  auto& rodata = *skeleton_->rodata;
  rodata.kd_by_address = hook_ == DataHook::kSysExit;
  rodata.kd_scope_host = scope_.host;
  rodata.kd_scope_by_netns = !scope_.netns_inodes.empty();
  rodata.kd_scope_by_tgid = !scope_.pids.empty();
  rodata.kd_scope_cgroup_count = scope_.cgroup_fds.size();
  skeleton_->bss->kd_payload_bytes = options_.payload_bytes;
  rodata.kd_self_tgid = options_.capture_self ? 0 : getpid();
  bpf_map__set_max_entries(skeleton_->maps.kd_control_ring, options_.control_ring_bytes);
  bpf_map__set_max_entries(skeleton_->maps.kd_data_ring, options_.data_ring_bytes);
  bpf_map__set_max_entries(skeleton_->maps.kd_conns_by_address,
                           hook_ == DataHook::kSysExit ? options_.connections : 1);
  if (int error = capture_bpf::load(skeleton_); error != 0) {
    const std::string log = TakeLibbpfLog();
    if (error == -EPERM && geteuid() != 0) return NotAllowed();
    return absl::FailedPreconditionError(
        absl::StrFormat("load the BPF programs: %s; libbpf said: %s", std::strerror(-error), log));
  }
  ASSIGN_OR_RETURN(control_, Ring::Open(bpf_map__fd(skeleton_->maps.kd_control_ring),
                                        options_.control_ring_bytes));
  ASSIGN_OR_RETURN(data_,
                   Ring::Open(bpf_map__fd(skeleton_->maps.kd_data_ring), options_.data_ring_bytes));
  void* verdicts = mmap(nullptr, kVerdicts * sizeof(kd_verdict), PROT_READ | PROT_WRITE, MAP_SHARED,
                        bpf_map__fd(skeleton_->maps.kd_payload_verdicts), 0);
  if (verdicts == MAP_FAILED) return base::ErrnoStatus(errno, "map the payload verdicts");
  verdicts_ = static_cast<kd_verdict*>(verdicts);
  return absl::OkStatus();
}

absl::Status BpfCapture::FillScope() {
  const uint8_t one = 1;
  const int netns_fd = bpf_map__fd(skeleton_->maps.kd_scope_netns);
  for (uint32_t inode : scope_.netns_inodes) {
    if (bpf_map_update_elem(netns_fd, &inode, &one, BPF_ANY) != 0) {
      return base::ErrnoStatus(errno, "put a network namespace into the scope");
    }
  }
  const int cgroups_fd = bpf_map__fd(skeleton_->maps.kd_scope_cgroups);
  for (uint32_t i = 0; i < scope_.cgroup_fds.size(); ++i) {
    const int fd = scope_.cgroup_fds[i].get();
    if (bpf_map_update_elem(cgroups_fd, &i, &fd, BPF_ANY) != 0) {
      return base::ErrnoStatus(errno, "put a cgroup into the scope");
    }
    struct stat info {};
    if (fstat(fd, &info) != 0) return base::ErrnoStatus(errno, "stat a cgroup of the scope");
    const uint64_t id = info.st_ino;
    if (bpf_map_update_elem(bpf_map__fd(skeleton_->maps.kd_scope_cgroup_ids), &id, &one, BPF_ANY) !=
        0) {
      return base::ErrnoStatus(errno, "put a cgroup into the scope");
    }
  }
  const int tgids_fd = bpf_map__fd(skeleton_->maps.kd_scope_tgids);
  for (uint32_t pid : scope_.pids) {
    if (bpf_map_update_elem(tgids_fd, &pid, &one, BPF_ANY) != 0) {
      return base::ErrnoStatus(errno, "put a process into the scope");
    }
  }
  return absl::OkStatus();
}

absl::Status BpfCapture::Attach(const AttachRow& row) {
  bpf_program* program =
      bpf_object__find_program_by_name(skeleton_->obj, std::string(row.program).c_str());
  TakeLibbpfLog();
  bpf_link* link = bpf_program__attach(program);
  if (link == nullptr) {
    return base::ErrnoStatus(errno, absl::StrFormat("attach %s (%s)", row.hook, TakeLibbpfLog()));
  }
  links_.push_back(link);
  return absl::OkStatus();
}

absl::Status BpfCapture::Start(EventSink& sink) {
  const base::Clock& clock = base::SystemClock();
  cycle_boot_ns_ = clock.BootNs();
  cycle_wall_ns_ = clock.WallNs();
  for (const AttachRow* row : rows_) {
    if (row->hook.starts_with("iter/")) continue;
    absl::Status status = Attach(*row);
    if (status.ok()) continue;
    if (row->use != AttachUse::kAlways) return status;
    missing_.push_back({.hook = std::string(row->hook),
                        .why = std::string(status.message()),
                        .lost = std::string(row->lost_without)});
  }
  // The fork program is attached: whoever is missing from a pass is a child of someone in it.
  const int tgids_fd = bpf_map__fd(skeleton_->maps.kd_scope_tgids);
  if (!scope_.pids.empty()) {
    for (size_t before = 0, after = 1; before != after;) {
      before = after;
      const std::vector<uint32_t> tree = ProcessTree(scope_.pids, options_.proc_root);
      const uint8_t one = 1;
      for (uint32_t pid : tree) bpf_map_update_elem(tgids_fd, &pid, &one, BPF_ANY);
      after = tree.size();
    }
  }
  if (!InUse("iter/task_file")) return absl::OkStatus();
  return FindSockets(sink);
}

absl::StatusOr<std::string> BpfCapture::RunIterator(bpf_program* program, int map_fd) {
  bpf_iter_link_info info{};
  info.map.map_fd = map_fd;
  LIBBPF_OPTS(bpf_iter_attach_opts, options);
  if (map_fd >= 0) {
    options.link_info = &info;
    options.link_info_len = sizeof(info);
  }
  bpf_link* link = bpf_program__attach_iter(program, &options);
  if (link == nullptr) return base::ErrnoStatus(errno, "attach an iterator");
  base::UniqueFd fd(bpf_iter_create(bpf_link__fd(link)));
  const int create_error = errno;
  bpf_link__destroy(link);
  if (!fd.valid()) return base::ErrnoStatus(create_error, "run an iterator");
  std::string bytes;
  std::string chunk(256 << 10, '\0');
  while (true) {
    const ssize_t got = read(fd.get(), chunk.data(), chunk.size());
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (got < 0) return base::ErrnoStatus(errno, "read an iterator");
    if (got == 0) return bytes;
    bytes.append(chunk, 0, static_cast<size_t>(got));
  }
}

absl::Status BpfCapture::FindSockets(EventSink& sink) {
  ASSIGN_OR_RETURN(const std::string bytes, RunIterator(skeleton_->progs.kd_find_sockets, -1));
  std::vector<ConnOpen> opens;
  std::set<std::tuple<uint32_t, model::Transport, uint16_t>> listeners;
  std::set<std::tuple<uint32_t, uint32_t, uint16_t, std::string>> told;
  for (size_t at = 0; at + sizeof(kd_control) <= bytes.size();) {
    kd_control control;
    std::memcpy(&control, bytes.data() + at, sizeof(control));
    if (control.size < sizeof(control) || at + control.size > bytes.size()) break;
    if (control.type == KD_CONTROL_LISTEN && control.size >= sizeof(kd_listen)) {
      kd_listen wire;
      std::memcpy(&wire, bytes.data() + at, sizeof(wire));
      const ListenEvent listen = ToListenEvent(wire);
      if (listen.port != 0) listeners.emplace(listen.netns, listen.transport, listen.port);
      // Every descriptor of a listener is met: one event per process.
      if (told.emplace(listen.tgid, listen.netns, listen.port,
                       ToString(listen.local) + listen.unix_path)
              .second) {
        if (listen.transport == model::Transport::kUnix) {
          unix_listeners_.emplace(listen.tgid, listen.unix_path);
        }
        sink.OnListen(listen);
      }
    } else if (control.type == KD_CONTROL_OPEN && control.size >= sizeof(kd_conn_open)) {
      kd_conn_open wire;
      std::memcpy(&wire, bytes.data() + at, sizeof(wire));
      opens.push_back(ToConnOpen(wire));
    }
    at += control.size;
  }
  for (ConnOpen& open : opens) {
    if (open.side == model::Side::kUnknown && open.transport == model::Transport::kTcp) {
      // A port that someone listens on here is the server's.
      if (listeners.contains({open.netns, open.transport, open.local_port})) {
        open.side = model::Side::kServer;
      } else if (listeners.contains({open.netns, open.transport, open.remote_port})) {
        open.side = model::Side::kClient;
      }
    }
    OnOpen(open, sink);
  }
  return absl::OkStatus();
}

void BpfCapture::OnOpen(const ConnOpen& open, EventSink& sink) {
  const auto [known, is_new] = known_.try_emplace(open.id);
  if (!is_new) return;  // two threads that used a socket first may both announce it
  known->second.last.id = open.id;
  known->second.seen_in_sweep = sweeps_;
  sink.OnConnOpen(open);
  // No hook tells that a unix socket listens: the first connection accepted from it does.
  if (open.transport == model::Transport::kUnix && open.side == model::Side::kServer &&
      open.origin == ConnOrigin::kFirstData && unix_listeners_.size() < kUnixListenersMax &&
      unix_listeners_.emplace(open.tgid, open.unix_path).second) {
    sink.OnListen({.boot_ns = open.boot_ns,
                   .transport = open.transport,
                   .netns = open.netns,
                   .unix_path = open.unix_path,
                   .tgid = open.tgid});
  }
}

void BpfCapture::OnControl(std::span<const std::byte> record, EventSink& sink) {
  if (record.size() < sizeof(kd_control)) return;
  const auto& control = *reinterpret_cast<const kd_control*>(record.data());
  if (control.size > record.size()) return;
  const void* wire = record.data();
  switch (control.type) {
    case KD_CONTROL_OPEN:
      OnOpen(ToConnOpen(*static_cast<const kd_conn_open*>(wire)), sink);
      break;
    case KD_CONTROL_CLOSE: {
      const ConnCounters end = ToConnCounters(*static_cast<const kd_conn_close*>(wire));
      auto known = known_.find(end.id);
      if (known == known_.end() || known->second.is_ending) break;
      known->second.is_ending = true;
      ends_.push_back(end);
      break;
    }
    case KD_CONTROL_CONNECT_FAILED:
      sink.OnConnectFailure(ToConnectFailure(*static_cast<const kd_connect_failed*>(wire)));
      break;
    case KD_CONTROL_LISTEN:
      sink.OnListen(ToListenEvent(*static_cast<const kd_listen*>(wire)));
      break;
    case KD_CONTROL_TASK: {
      const TaskEvent event = ToTaskEvent(*static_cast<const kd_task_event*>(wire));
      if (event.kind == TaskEventKind::kExit) {
        std::erase_if(unix_listeners_,
                      [&](const auto& listener) { return listener.first == event.tgid; });
        exits_.push_back(event);
      } else {
        sink.OnTask(event);
      }
      break;
    }
    default:
      break;
  }
}

void BpfCapture::OnRecord(std::span<const std::byte> record, EventSink& sink) {
  DataEvent event;
  if (!ToDataEvent(record, event)) return;
  const uint8_t flags = reinterpret_cast<const kd_data*>(record.data())->flags;
  if (flags & KD_DATA_STREAMLESS) {
    if (flags & KD_DATA_PEER_OF) {
      peers_.Resolve(event.id, event.position, event.remote, event.remote_port, sink);
      return;
    }
    // No hook sees the end of such a socket: its last counters are what its data said.
    if (auto known = known_.find(event.id); known != known_.end()) {
      known->second.asks_for_peers |= (flags & KD_DATA_PEER_FOLLOWS) != 0;
      ConnCounters& last = known->second.last;
      uint64_t& total = event.direction == Direction::kSent ? last.sent_bytes : last.received_bytes;
      total = std::max(total, event.position + event.size);
      last.turns = std::max(last.turns, event.turn);
    }
    if (peers_.Hold(event, flags & KD_DATA_PEER_FOLLOWS, sink)) return;
  }
  sink.OnData(event);
}

// By now all data before the sweep has been drained. Counters that know of data which is held still
// are no use: the next sweep has others.
void BpfCapture::GiveSwept(EventSink& sink) {
  for (const ConnCounters& counters : swept_) {
    if (!peers_.Holds(counters.id)) sink.OnConnCounters(counters);
  }
  swept_.clear();
}

void BpfCapture::GiveEnds(EventSink& sink) {
  for (const ConnCounters& end : ends_before_) {
    known_.erase(end.id);
    if (!peers_.empty()) peers_.Release(end.id, sink);
    sink.OnConnCounters(end);
  }
  for (const TaskEvent& exit : exits_before_) sink.OnTask(exit);
  ends_before_.clear();
  exits_before_.clear();
  std::swap(ends_, ends_before_);
  std::swap(exits_, exits_before_);
}

void BpfCapture::ReportLoss(EventSink& sink) {
  KernelLoss loss;
  for (const kd_loss& cpu : skeleton_->bss->kd_losses) {
    loss.control_ring_events += __atomic_load_n(&cpu.control_events, __ATOMIC_RELAXED);
    loss.data_ring_events += __atomic_load_n(&cpu.data_events, __ATOMIC_RELAXED);
    loss.data_ring_bytes += __atomic_load_n(&cpu.data_bytes, __ATOMIC_RELAXED);
    loss.map_full += __atomic_load_n(&cpu.map_full, __ATOMIC_RELAXED);
    loss.unread_payload += __atomic_load_n(&cpu.unread_payload, __ATOMIC_RELAXED);
  }
  if (loss == reported_loss_) return;
  reported_loss_ = loss;
  sink.OnKernelLoss(loss);
}

void BpfCapture::Drain(EventSink& sink) {
  const base::Clock& clock = base::SystemClock();
  const int64_t boot_ns = clock.BootNs();
  const int64_t wall_ns = clock.WallNs();
  // A connection is announced before its first data is written: what is in the data ring now has
  // its announcement in the control ring by the time that is read.
  const uint64_t data_limit = data_->producer_position();
  control_->Drain(control_->producer_position(),
                  [&](std::span<const std::byte> record) { OnControl(record, sink); });
  data_->Drain(data_limit, [&](std::span<const std::byte> record) { OnRecord(record, sink); });
  if (!peers_.empty()) peers_.Expire(boot_ns, sink);
  GiveSwept(sink);
  GiveEnds(sink);
  ReportLoss(sink);
  sink.OnTick(cycle_boot_ns_, cycle_wall_ns_);
  cycle_boot_ns_ = boot_ns;
  cycle_wall_ns_ = wall_ns;
}

void BpfCapture::SweepCounters(EventSink& sink) {
  const bool by_address = hook_ == DataHook::kSysExit;
  if (!InUse(by_address ? "iter/bpf_map_elem" : "iter/bpf_sk_storage_map")) return;
  const bpf_map* map = by_address ? skeleton_->maps.kd_conns_by_address : skeleton_->maps.kd_conns;
  auto bytes =
      RunIterator(by_address ? skeleton_->progs.kd_sweep_by_address : skeleton_->progs.kd_sweep,
                  bpf_map__fd(map));
  if (!bytes.ok()) {
    LOG_FIRST_N(WARNING, 3) << "sweep of the connections: " << bytes.status();
    return;
  }
  const int64_t boot_ns = base::SystemClock().BootNs();
  ++sweeps_;
  for (size_t at = 0; at + sizeof(kd_counters) <= bytes->size(); at += sizeof(kd_counters)) {
    kd_counters wire;
    std::memcpy(&wire, bytes->data() + at, sizeof(wire));
    auto known = known_.find(wire.conn);
    if (known == known_.end()) continue;  // its announcement is still in the ring
    if (known->second.is_ending) continue;
    known->second.seen_in_sweep = sweeps_;
    known->second.last = ToConnCounters(wire, boot_ns);
    if (wire.closed) {
      known->second.is_ending = true;
      ends_.push_back(known->second.last);
    } else if (known->second.asks_for_peers) {
      swept_.push_back(known->second.last);
    } else {
      sink.OnConnCounters(known->second.last);
    }
  }
  for (auto& [id, known] : known_) {
    if (known.is_ending || known.seen_in_sweep == sweeps_) continue;
    // TCP's end is reported by a hook and may be in the ring still. And an iterator passes over a
    // live socket when others of its bucket go away between two reads: hardly ever twice running.
    if (known.seen_in_sweep + 2 > sweeps_) continue;
    known.is_ending = true;
    ends_.push_back(known.last);
    ends_.back().boot_ns = boot_ns;
    ends_.back().closed = true;
  }
}

void BpfCapture::Finish(EventSink& sink) {
  Drain(sink);
  SweepCounters(sink);
  peers_.Expire(std::numeric_limits<int64_t>::max(), sink);
  // Counters are compared with the data in the tick after the next; what a processor has counted
  // and is about to write gets the time that it has between two cycles.
  for (int i = 0; i < 2; ++i) {
    absl::SleepFor(kWritten);
    Drain(sink);
  }
}

void BpfCapture::SetPayload(ConnId id, bool wanted) {
  kd_verdict& verdict = verdicts_[id & (kVerdicts - 1)];
  __atomic_store_n(&verdict.without_payload, wanted ? 0 : 1, __ATOMIC_RELAXED);
  __atomic_store_n(&verdict.conn, id, __ATOMIC_RELEASE);
}

void BpfCapture::SetPayloadBytes(uint32_t bytes) {
  __atomic_store_n(&skeleton_->bss->kd_payload_bytes, std::min(bytes, options_.payload_bytes),
                   __ATOMIC_RELAXED);
}

uint64_t BpfCapture::bpf_memory_bytes() const {
  uint64_t total = 0;
  const bpf_map* map = nullptr;
  bpf_object__for_each_map(map, skeleton_->obj) {
    std::ifstream info(absl::StrFormat("/proc/self/fdinfo/%d", bpf_map__fd(map)));
    std::string key;
    uint64_t bytes = 0;
    while (info >> key) {
      if (key == "memlock:" && info >> bytes) total += bytes;
    }
  }
  return total;
}

std::vector<ProgramCost> BpfCapture::program_costs() const {
  std::vector<ProgramCost> costs;
  for (const AttachRow* row : rows_) {
    const std::string name(row->program);
    const bpf_program* program = bpf_object__find_program_by_name(skeleton_->obj, name.c_str());
    bpf_prog_info info{};
    uint32_t info_bytes = sizeof(info);
    if (bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &info_bytes) != 0) continue;
    costs.push_back({.program = name, .runs = info.run_cnt, .run_time_ns = info.run_time_ns});
  }
  return costs;
}

}  // namespace kindling::agent
