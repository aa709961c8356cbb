#pragma once

#include <string>
#include <string_view>

#include "agent/identity/process_facts.h"

namespace kindling::agent {

// Reads /proc, or a copy of it below another root.
class ProcfsReader final : public ProcessReader {
 public:
  explicit ProcfsReader(std::string root = "/proc") : root_(std::move(root)) {}
  ProcessFacts Read(uint32_t tgid) override;

 private:
  const std::string root_;
};

// The cgroup path that names a process in the text of /proc/PID/cgroup: the unified hierarchy's, or
// the named systemd one where the unified path is the root. See cgroups(7).
std::string CgroupOf(std::string_view proc_cgroup);

}  // namespace kindling::agent
