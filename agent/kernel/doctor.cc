#include "agent/kernel/doctor.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_format.h"
#include "agent/capture/event_sinks.h"
#include "agent/kernel/attach_table.h"
#include "agent/kernel/kernel_facts.h"
#include "agent/kernel/kernel_source.h"

namespace kindling::agent {
namespace {

using State = DoctorRow::State;

DoctorRow Cgroups() {
  const std::string mount = CgroupMount();
  return {.what = "cgroup v2",
          .state = mount.empty() ? State::kDegraded : State::kOk,
          .detail = mount.empty() ? "no mount of type cgroup2" : "at " + mount,
          .lost = mount.empty() ? "a scope by cgroup" : ""};
}

DoctorRow Tracefs() {
  const std::string events = TracefsEvents();
  return {.what = "tracefs",
          .state = events.empty() ? State::kDegraded : State::kOk,
          .detail = events.empty() ? "not mounted: mount -t tracefs tracefs /sys/kernel/tracing"
                                   : "at " + events,
          .lost = events.empty() ? "kills for want of memory" : ""};
}

DoctorRow Memlock() {
  rlimit limit{};
  getrlimit(RLIMIT_MEMLOCK, &limit);
  const bool is_unlimited = limit.rlim_cur == RLIM_INFINITY;
  return {.what = "memlock limit",
          .detail = is_unlimited ? "unlimited"
                                 : absl::StrFormat(
                                       "%d KiB; the kernel charges BPF memory to the cgroup, not "
                                       "to this limit",
                                       limit.rlim_cur / 1024)};
}

// A scope of this process alone, which is never captured.
KernelSourceOptions EmptyScope(std::string_view hook, const std::vector<std::string>& disabled) {
  KernelSourceOptions options;
  options.scope.pids = {static_cast<uint32_t>(getpid())};
  options.hook = std::string(hook);
  options.disable = disabled;
  options.data_ring_bytes = 64 << 10;
  options.control_ring_bytes = 64 << 10;
  return options;
}

// Loads and attaches one data path; rows tell how each of its hooks fared.
DoctorRow TryPath(DataHook hook, const std::vector<std::string>& disabled,
                  std::vector<MissingHook>& missing) {
  DoctorRow row{.what = absl::StrFormat("data path %s", Name(hook))};
  auto source = KernelSource::Open(EmptyScope(Name(hook), disabled));
  NoSink sink;
  absl::Status status = source.ok() ? (*source)->Start(sink) : source.status();
  if (!status.ok()) {
    row.state = State::kMissing;
    row.detail = std::string(status.message());
    return row;
  }
  missing.insert(missing.end(), (*source)->missing().begin(), (*source)->missing().end());
  row.detail = "loads and attaches";
  return row;
}

}  // namespace

std::string_view Name(State state) {
  switch (state) {
    case State::kOk:
      return "ok";
    case State::kDegraded:
      return "degraded";
    case State::kDisabled:
      return "disabled";
    case State::kMissing:
      return "missing";
  }
  return "";
}

std::vector<DoctorRow> Examine(const std::vector<std::string>& disabled) {
  std::vector<DoctorRow> rows;
  rows.push_back({.what = "user",
                  .state = geteuid() == 0 ? State::kOk : State::kDegraded,
                  .detail = geteuid() == 0 ? "root" : "not root: run as root"});
  auto facts = KernelFacts::Read();
  rows.push_back({.what = "kernel",
                  .state = facts.ok() ? State::kOk : State::kMissing,
                  .detail = facts.ok() ? KernelRelease() + ", with type information"
                                       : std::string(facts.status().message())});
  rows.push_back(Cgroups());
  rows.push_back(Tracefs());
  rows.push_back(Memlock());
  if (!facts.ok()) return rows;

  std::vector<MissingHook> missing;
  const DoctorRow tracepoints = TryPath(DataHook::kSocketTracepoints, disabled, missing);
  const DoctorRow sys_exit = TryPath(DataHook::kSysExit, disabled, missing);
  const bool has_one = tracepoints.state == State::kOk || sys_exit.state == State::kOk;
  for (DoctorRow row : {tracepoints, sys_exit}) {
    if (row.state == State::kMissing && has_one) row.state = State::kDegraded;
    rows.push_back(std::move(row));
  }
  for (const AttachRow& row : AttachTable()) {
    const bool is_disabled = std::ranges::find(disabled, row.hook) != disabled.end();
    const auto failed = std::ranges::find_if(
        missing, [&](const MissingHook& hook) { return hook.hook == row.hook; });
    const bool is_missing = !is_disabled && (!(*facts)->Has(row) || failed != missing.end());
    rows.push_back(
        {.what = std::string(row.hook),
         .state = is_disabled  ? State::kDisabled
                  : is_missing ? State::kMissing
                               : State::kOk,
         .detail = is_disabled ? "disabled by config"
                   : !(*facts)->Has(row)
                       ? absl::StrFormat("not in this kernel, since %s", row.minimum_kernel)
                   : is_missing ? failed->why
                                : std::string(row.gives),
         .lost = is_disabled || is_missing ? std::string(row.lost_without) : ""});
  }
  return rows;
}

bool CanCapture(const std::vector<DoctorRow>& rows) {
  return std::ranges::any_of(rows, [](const DoctorRow& row) {
    return row.what.starts_with("data path") && row.state == State::kOk;
  });
}

std::string ToText(const std::vector<DoctorRow>& rows) {
  std::string text;
  for (const DoctorRow& row : rows) {
    text += absl::StrFormat("%-9s %-30s %s", Name(row.state), row.what, row.detail);
    if (!row.lost.empty()) text += absl::StrFormat("; not seen: %s", row.lost);
    text += '\n';
  }
  return text;
}

}  // namespace kindling::agent
