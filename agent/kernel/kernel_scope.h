#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/unique_fd.h"

namespace kindling::agent {

// What to watch; kinds are OR-ed.
struct ScopeOptions {
  bool host = false;
  std::vector<std::string> network_namespaces;  // paths such as /run/netns/x
  std::vector<std::string> cgroups;             // paths below the version 2 mount, or absolute
  std::vector<uint32_t> pids;                   // with their descendants

  bool empty() const {
    return !host && network_namespaces.empty() && cgroups.empty() && pids.empty();
  }
};

// A scope found on this machine: namespaces and cgroups held open, so that neither goes away.
struct ResolvedScope {
  bool host = false;
  std::vector<uint32_t> netns_inodes;
  std::vector<base::UniqueFd> netns_fds;
  std::vector<base::UniqueFd> cgroup_fds;
  std::vector<uint32_t> pids;
};

// Failure: one line naming the entry that cannot be used and why.
absl::StatusOr<ResolvedScope> ResolveScope(const ScopeOptions& options, std::string_view proc_root);

// Where a cgroup of a scope is mounted; "" without a version 2 mount.
std::string CgroupDirectory(const std::string& cgroup);

// `roots` and every process that descends from them now.
std::vector<uint32_t> ProcessTree(const std::vector<uint32_t>& roots, std::string_view proc_root);

}  // namespace kindling::agent
