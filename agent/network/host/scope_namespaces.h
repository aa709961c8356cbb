#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "agent/kernel/kernel_scope.h"
#include "base/unique_fd.h"

namespace kindling::agent {

struct NamespaceRef {
  std::string name;
  uint32_t inode = 0;
  base::UniqueFd fd;
};

// The network namespaces that a scope is about: those that it names, the host's own, and those of
// its processes, each once.
struct ScopeNamespaces {
  std::vector<NamespaceRef> found;
  uint64_t gone = 0;    // that could not be opened
  uint64_t beyond = 0;  // of processes, more than kMaxNamespaces in all
};
inline constexpr size_t kMaxNamespaces = 256;

// Limits: the first 4096 processes of each cgroup, without the cgroups below it.
ScopeNamespaces FindNamespaces(const ScopeOptions& scope, std::string_view proc_root);

}  // namespace kindling::agent
