#include "agent/kernel/bpf_programs.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <fstream>

#include "absl/strings/ascii.h"
#include "absl/strings/str_format.h"
#include "agent/kernel/libbpf_log.h"
#include "base/errno_status.h"
#include "base/status_macros.h"
#include "base/unique_fd.h"
#include "bpf/capture.skel.h"

namespace kindling::agent {
namespace {

constexpr uint32_t kVerdicts = 65536;  // KD_VERDICTS

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

// "abort_on_close" of SK_RST_REASON_TCP_ABORT_ON_CLOSE.
std::string ResetReason(std::string_view name) {
  for (const std::string_view prefix : {"SK_RST_REASON_", "TCP_"}) {
    if (name.starts_with(prefix)) name.remove_prefix(prefix.size());
  }
  std::string text(name);
  for (char& c : text) c = absl::ascii_tolower(static_cast<unsigned char>(c));
  return text;
}

}  // namespace

absl::StatusOr<std::unique_ptr<BpfPrograms>> BpfPrograms::Load(const KernelSourceOptions& options) {
  InstallLibbpfLog();
  RETURN_IF_ERROR(CheckOptions(options));
  std::unique_ptr<BpfPrograms> programs(new BpfPrograms(options));
  ASSIGN_OR_RETURN(programs->scope_, ResolveScope(options.scope, options.proc_root));
  if (geteuid() != 0 && bpf_obj_get("/dev/null") < 0 && errno == EPERM) return NotAllowed();
  ASSIGN_OR_RETURN(std::unique_ptr<KernelFacts> facts, KernelFacts::Read());
  RETURN_IF_ERROR(programs->ChooseHooks(*facts));
  programs->has_reset_reasons_ = facts->ArgumentsOf("tcp_send_reset") >= 3;
  programs->has_retransmit_errors_ = facts->ArgumentsOf("tcp_retransmit_skb") >= 3;
  for (const std::string& name : facts->NamesOf("sk_rst_reason")) {
    programs->reset_reasons_.push_back(ResetReason(name));
  }
  programs->drop_arguments_ = facts->ArgumentsOf("kfree_skb");
  programs->drop_reasons_ =
      DropReasons(facts->NamesOf("skb_drop_reason"), facts->NamesOf("skb_drop_reason_subsys"));
  RETURN_IF_ERROR(programs->LoadPrograms());
  RETURN_IF_ERROR(programs->FillScope());
  return programs;
}

BpfPrograms::~BpfPrograms() {
  for (bpf_link* link : links_) bpf_link__destroy(link);
  if (verdicts_ != nullptr) munmap(verdicts_, kVerdicts * sizeof(kd_verdict));
  if (skeleton_ != nullptr) capture_bpf::destroy(skeleton_);
}

absl::Status BpfPrograms::ChooseHooks(const KernelFacts& facts) {
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
    if (row.use == other || row.use == AttachUse::kPathTrace) continue;
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

bool BpfPrograms::InUse(std::string_view hook) const {
  return std::ranges::any_of(rows_, [&](const AttachRow* row) { return row->hook == hook; });
}

absl::Status BpfPrograms::LoadPrograms() {
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
  rodata.kd_sees_synacks = InUse("tp_btf/tcp_retransmit_synack");
  rodata.kd_sees_resets = InUse("tp_btf/tcp_send_reset");
  rodata.kd_has_reset_reasons = has_reset_reasons_;
  rodata.kd_has_retransmit_errors = has_retransmit_errors_;
  rodata.kd_finds_sockets = InUse("iter/task_file");
  rodata.kd_has_drop_reasons = drop_arguments_ >= 3;
  rodata.kd_has_drop_sockets = drop_arguments_ >= 4;
  rodata.kd_purge_reason = rodata.kd_has_drop_reasons ? drop_reasons_.PurgeNumber() : 0;
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
  if (InUse("tp_btf/kfree_skb")) {
    drops_ =
        std::make_unique<DropCounters>(bpf_map__fd(skeleton_->maps.kd_drops),
                                       bpf_map__fd(skeleton_->maps.kd_drops_beyond), drop_reasons_);
  }
  void* verdicts = mmap(nullptr, kVerdicts * sizeof(kd_verdict), PROT_READ | PROT_WRITE, MAP_SHARED,
                        bpf_map__fd(skeleton_->maps.kd_payload_verdicts), 0);
  if (verdicts == MAP_FAILED) return base::ErrnoStatus(errno, "map the payload verdicts");
  verdicts_ = static_cast<kd_verdict*>(verdicts);
  return absl::OkStatus();
}

absl::Status BpfPrograms::FillScope() {
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

absl::Status BpfPrograms::Attach(const AttachRow& row) {
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

absl::Status BpfPrograms::AttachAll() {
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
  if (scope_.pids.empty()) return absl::OkStatus();
  for (size_t before = 0, after = 1; before != after;) {
    before = after;
    const std::vector<uint32_t> tree = ProcessTree(scope_.pids, options_.proc_root);
    const uint8_t one = 1;
    for (uint32_t pid : tree) bpf_map_update_elem(tgids_fd, &pid, &one, BPF_ANY);
    after = tree.size();
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> BpfPrograms::RunIterator(bpf_program* program, int map_fd) {
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

absl::StatusOr<std::string> BpfPrograms::FindSockets() {
  if (!InUse("iter/task_file")) return std::string();
  return RunIterator(skeleton_->progs.kd_find_sockets, -1);
}

absl::StatusOr<std::string> BpfPrograms::ReadCounters() {
  if (hook_ == DataHook::kSysExit) {
    return RunIterator(skeleton_->progs.kd_sweep_by_address,
                       bpf_map__fd(skeleton_->maps.kd_conns_by_address));
  }
  return RunIterator(skeleton_->progs.kd_sweep, bpf_map__fd(skeleton_->maps.kd_conns));
}

absl::StatusOr<std::string> BpfPrograms::SampleTcp() {
  const bool by_address = hook_ == DataHook::kSysExit;
  if (!InUse(by_address ? "iter/bpf_map_elem:tcp" : "iter/bpf_sk_storage_map:tcp")) {
    return std::string();
  }
  return by_address
             ? RunIterator(skeleton_->progs.kd_sample_tcp_by_address,
                           bpf_map__fd(skeleton_->maps.kd_conns_by_address))
             : RunIterator(skeleton_->progs.kd_sample_tcp, bpf_map__fd(skeleton_->maps.kd_conns));
}

absl::Status BpfPrograms::ReadDrops(int64_t boot_ns, EventSink& sink) {
  return drops_ == nullptr ? absl::OkStatus() : drops_->Read(boot_ns, sink);
}

bool BpfPrograms::can_sweep() const {
  return InUse(hook_ == DataHook::kSysExit ? "iter/bpf_map_elem" : "iter/bpf_sk_storage_map");
}

KernelLoss BpfPrograms::loss() const {
  KernelLoss loss;
  for (const kd_loss& cpu : skeleton_->bss->kd_losses) {
    loss.control_ring_events += __atomic_load_n(&cpu.control_events, __ATOMIC_RELAXED);
    loss.data_ring_events += __atomic_load_n(&cpu.data_events, __ATOMIC_RELAXED);
    loss.data_ring_bytes += __atomic_load_n(&cpu.data_bytes, __ATOMIC_RELAXED);
    loss.map_full += __atomic_load_n(&cpu.map_full, __ATOMIC_RELAXED);
    loss.unread_payload += __atomic_load_n(&cpu.unread_payload, __ATOMIC_RELAXED);
  }
  return loss;
}

int BpfPrograms::control_ring_fd() const { return bpf_map__fd(skeleton_->maps.kd_control_ring); }
int BpfPrograms::data_ring_fd() const { return bpf_map__fd(skeleton_->maps.kd_data_ring); }

void BpfPrograms::SetPayload(ConnId id, bool wanted) {
  kd_verdict& verdict = verdicts_[id & (kVerdicts - 1)];
  __atomic_store_n(&verdict.without_payload, wanted ? 0 : 1, __ATOMIC_RELAXED);
  __atomic_store_n(&verdict.conn, id, __ATOMIC_RELEASE);
}

void BpfPrograms::SetPayloadBytes(uint32_t bytes) {
  __atomic_store_n(&skeleton_->bss->kd_payload_bytes, std::min(bytes, options_.payload_bytes),
                   __ATOMIC_RELAXED);
}

uint64_t BpfPrograms::memory_bytes() const {
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

std::vector<ProgramCost> BpfPrograms::costs() const {
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
