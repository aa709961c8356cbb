#include "agent/kernel/kernel_facts.h"

#include <bpf/btf.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <fstream>
#include <sstream>

#include "absl/strings/str_format.h"

namespace kindling::agent {

KernelVersion ParseKernelVersion(std::string_view release) {
  KernelVersion version;
  const char* end = release.data() + release.size();
  auto [next, error] = std::from_chars(release.data(), end, version.major);
  if (error == std::errc() && next < end && *next == '.') {
    std::from_chars(next + 1, end, version.minor);
  }
  return version;
}

std::string KernelRelease() {
  utsname name{};
  uname(&name);
  return name.release;
}

std::string TracefsEvents() {
  for (const char* path : {"/sys/kernel/tracing/events", "/sys/kernel/debug/tracing/events"}) {
    if (access(path, R_OK) == 0) return path;
  }
  return "";
}

std::string CgroupMount(std::string_view mounts_file) {
  std::ifstream mounts{std::string(mounts_file)};
  std::string line, device, path, type;
  while (std::getline(mounts, line)) {
    std::istringstream fields(line);
    if (fields >> device >> path >> type && type == "cgroup2") return path;
  }
  return "";
}

absl::StatusOr<std::unique_ptr<KernelFacts>> KernelFacts::Read() {
  std::unique_ptr<KernelFacts> facts(new KernelFacts);
  const std::string release = KernelRelease();
  facts->version_ = ParseKernelVersion(release);
  if (facts->version_ < KernelVersion{5, 12}) {
    return absl::FailedPreconditionError(
        absl::StrFormat("kernel %s is too old: capture needs 5.12 or newer", release));
  }
  facts->btf_ = btf__load_vmlinux_btf();
  if (facts->btf_ == nullptr) {
    return absl::FailedPreconditionError(
        absl::StrFormat("kernel %s gives no type information: /sys/kernel/btf/vmlinux is missing; "
                        "use a kernel built with CONFIG_DEBUG_INFO_BTF",
                        release));
  }
  return facts;
}

KernelFacts::~KernelFacts() { btf__free(btf_); }

bool KernelFacts::Has(const AttachRow& row) const {
  if (!row.tracefs_event.empty()) {
    const std::string events = TracefsEvents();
    return !events.empty() &&
           access(absl::StrFormat("%s/%s/id", events, row.tracefs_event).c_str(), R_OK) == 0;
  }
  const std::string name(row.btf_name);
  return btf__find_by_name(btf_, name.c_str()) >= 0;
}

int KernelFacts::ArgumentsOf(std::string_view tracepoint) const {
  // typedef void (*btf_trace_NAME)(void *, ...), where the first is the context.
  const std::string name = absl::StrFormat("btf_trace_%s", std::string(tracepoint));
  const int id = btf__find_by_name_kind(btf_, name.c_str(), BTF_KIND_TYPEDEF);
  if (id < 0) return 0;
  const btf_type* pointer = btf__type_by_id(btf_, btf__type_by_id(btf_, id)->type);
  if (pointer == nullptr || !btf_is_ptr(pointer)) return 0;
  const btf_type* proto = btf__type_by_id(btf_, pointer->type);
  return proto != nullptr && btf_is_func_proto(proto) ? btf_vlen(proto) - 1 : 0;
}

std::vector<std::string> KernelFacts::NamesOf(std::string_view enumeration) const {
  constexpr int kMaxNames = 256;
  std::vector<std::string> names;
  const int id = btf__find_by_name_kind(btf_, std::string(enumeration).c_str(), BTF_KIND_ENUM);
  if (id < 0) return names;
  const btf_type* type = btf__type_by_id(btf_, id);
  for (int i = 0; i < btf_vlen(type); ++i) {
    const struct btf_enum& value = btf_enum(type)[i];
    if (value.val < 0 || value.val >= kMaxNames) continue;
    if (names.size() <= static_cast<size_t>(value.val)) names.resize(value.val + 1);
    names[value.val] = btf__name_by_offset(btf_, value.name_off);
  }
  return names;
}

}  // namespace kindling::agent
