#include "agent/kernel/path_source.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <map>

#include "absl/strings/str_format.h"
#include "agent/kernel/attach_table.h"
#include "agent/kernel/kernel_facts.h"
#include "agent/kernel/libbpf_log.h"
#include "agent/kernel/ring.h"
#include "agent/kernel/translate_path.h"
#include "base/errno_status.h"
#include "base/status_macros.h"
#include "bpf/path.skel.h"
#include "bpf/wire/path.h"

namespace kindling::agent {
namespace {

constexpr size_t kAddressesMax = 512;  // of kd_path_addresses

absl::Status CheckOptions(const PathSourceOptions& options) {
  if (options.from.empty() && options.to.empty()) {
    return absl::InvalidArgumentError("path: neither end has an address");
  }
  if (options.from.size() + options.to.size() > kAddressesMax) {
    return absl::InvalidArgumentError(absl::StrFormat("path: at most %d addresses", kAddressesMax));
  }
  if (!std::has_single_bit(options.ring_bytes) || options.ring_bytes < sysconf(_SC_PAGESIZE)) {
    return absl::InvalidArgumentError("path: the ring's size must be a power of two, from a page");
  }
  for (const std::string& hook : options.disable) {
    if (!IsAttachRow(hook)) {
      return absl::InvalidArgumentError(
          absl::StrFormat("disable: no hook is named \"%s\"; see kindling-agent doctor", hook));
    }
  }
  return absl::OkStatus();
}

class BpfPathSource final : public PathSource {
 public:
  explicit BpfPathSource(const PathSourceOptions& options) : options_(options) {}
  ~BpfPathSource() override {
    for (bpf_link* link : links_) bpf_link__destroy(link);
    if (skeleton_ != nullptr) path_bpf::destroy(skeleton_);
  }

  absl::Status Start() {
    InstallLibbpfLog();
    RETURN_IF_ERROR(CheckOptions(options_));
    ASSIGN_OR_RETURN(scope_, ResolveScope(options_.scope, options_.proc_root));
    if (!scope_.host && scope_.netns_inodes.empty()) {
      return absl::FailedPreconditionError(
          "path: the agent's scope has no network namespaces, and packets belong to no process; "
          "give it `scope: {network_namespaces: [...]}` or `scope: {host: true}`");
    }
    ASSIGN_OR_RETURN(const std::unique_ptr<KernelFacts> facts, KernelFacts::Read());
    RETURN_IF_ERROR(Load(*facts));
    RETURN_IF_ERROR(FillMaps());
    RETURN_IF_ERROR(Attach());
    ASSIGN_OR_RETURN(ring_,
                     Ring::Open(bpf_map__fd(skeleton_->maps.kd_path_ring), options_.ring_bytes));
    return absl::OkStatus();
  }

  const std::vector<MissingHook>& missing() const override { return missing_; }

  void Drain(const std::function<void(const KernelHop&)>& sink) override {
    ring_->Drain(ring_->producer_position(), [&](std::span<const std::byte> record) {
      kd_path_hop wire{};
      if (record.size() != sizeof(wire)) return;
      std::memcpy(&wire, record.data(), sizeof(wire));
      sink(ToKernelHop(wire));
    });
  }

  PathLoss loss() const override {
    PathLoss loss;
    for (const kd_path_loss& cpu : skeleton_->bss->kd_path_losses) {
      loss.hops += __atomic_load_n(&cpu.hops, __ATOMIC_RELAXED);
      loss.packets += __atomic_load_n(&cpu.packets, __ATOMIC_RELAXED);
      loss.unread += __atomic_load_n(&cpu.unread, __ATOMIC_RELAXED);
    }
    return loss;
  }

 private:
  absl::Status Load(const KernelFacts& facts) {
    TakeLibbpfLog();
    skeleton_ = path_bpf::open();
    if (skeleton_ == nullptr) return base::ErrnoStatus(errno, "open the path programs");
    for (const AttachRow& row : AttachTable()) {
      if (row.use != AttachUse::kPathTrace) continue;
      const bool is_disabled =
          std::ranges::find(options_.disable, row.hook) != options_.disable.end();
      if (!is_disabled && facts.Has(row)) {
        rows_.push_back(&row);
        continue;
      }
      Miss(row, is_disabled ? "disabled by config" : "not in this kernel");
      bpf_program__set_autoload(ProgramOf(row), false);
    }
    auto& rodata = *skeleton_->rodata;
    rodata.kd_path_scope_host = scope_.host;
    rodata.kd_path_any_from = options_.from.empty();
    rodata.kd_path_any_to = options_.to.empty();
    rodata.kd_path_port = options_.port;
    rodata.kd_path_protocol = options_.protocol;
    rodata.kd_path_packets_per_s = options_.packets_per_s;
    bpf_map__set_max_entries(skeleton_->maps.kd_path_ring, options_.ring_bytes);
    if (const int error = path_bpf::load(skeleton_); error != 0) {
      return absl::FailedPreconditionError(absl::StrFormat(
          "load the path programs: %s; libbpf said: %s", std::strerror(-error), TakeLibbpfLog()));
    }
    return absl::OkStatus();
  }

  absl::Status FillMaps() {
    const uint8_t one = 1;
    for (const uint32_t inode : scope_.netns_inodes) {
      if (bpf_map_update_elem(bpf_map__fd(skeleton_->maps.kd_path_netns), &inode, &one, BPF_ANY) !=
          0) {
        return base::ErrnoStatus(errno, "put a network namespace into the path's scope");
      }
    }
    std::map<std::array<uint8_t, 16>, uint8_t> ends;
    for (const IpAddress& address : options_.from) ends[ToMapped(address)] |= KD_PATH_FROM;
    for (const IpAddress& address : options_.to) ends[ToMapped(address)] |= KD_PATH_TO;
    for (const auto& [address, end] : ends) {
      if (bpf_map_update_elem(bpf_map__fd(skeleton_->maps.kd_path_addresses), address.data(), &end,
                              BPF_ANY) != 0) {
        return base::ErrnoStatus(errno, "give the kernel the path's ends");
      }
    }
    return absl::OkStatus();
  }

  absl::Status Attach() {
    for (const AttachRow* row : rows_) {
      TakeLibbpfLog();
      bpf_link* link = bpf_program__attach(ProgramOf(*row));
      if (link == nullptr) {
        Miss(*row, absl::StrFormat("%s (%s)", std::strerror(errno), TakeLibbpfLog()));
      } else {
        links_.push_back(link);
      }
    }
    if (!links_.empty()) return absl::OkStatus();
    return absl::FailedPreconditionError(
        "path: no hook could be attached; see kindling-agent doctor");
  }

  bpf_program* ProgramOf(const AttachRow& row) const {
    return bpf_object__find_program_by_name(skeleton_->obj, std::string(row.program).c_str());
  }

  void Miss(const AttachRow& row, std::string why) {
    missing_.push_back({.hook = std::string(row.hook),
                        .why = std::move(why),
                        .lost = std::string(row.lost_without)});
  }

  const PathSourceOptions options_;
  ResolvedScope scope_;
  path_bpf* skeleton_ = nullptr;
  std::vector<const AttachRow*> rows_;
  std::vector<bpf_link*> links_;
  std::vector<MissingHook> missing_;
  std::unique_ptr<Ring> ring_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<PathSource>> PathSource::Open(const PathSourceOptions& options) {
  auto source = std::make_unique<BpfPathSource>(options);
  RETURN_IF_ERROR(source->Start());
  return source;
}

}  // namespace kindling::agent
