#include "agent/network/host/scope_namespaces.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>

#include "absl/strings/str_format.h"

namespace kindling::agent {
namespace {

constexpr size_t kMaxProcesses = 4096;  // of a cgroup

class Finder {
 public:
  explicit Finder(ScopeNamespaces& namespaces) : namespaces_(namespaces) {}

  // `name` empty: its number.
  void Add(const std::string& path, std::string name) {
    base::UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    struct stat about {};
    if (!fd.valid() || ::fstat(fd.get(), &about) != 0) {
      ++namespaces_.gone;
      return;
    }
    const auto inode = static_cast<uint32_t>(about.st_ino);
    if (std::ranges::find(namespaces_.found, inode, &NamespaceRef::inode) !=
        namespaces_.found.end()) {
      return;
    }
    if (namespaces_.found.size() >= kMaxNamespaces) {
      ++namespaces_.beyond;
      return;
    }
    if (name.empty()) name = absl::StrFormat("%d", inode);
    namespaces_.found.push_back({.name = std::move(name), .inode = inode, .fd = std::move(fd)});
  }

 private:
  ScopeNamespaces& namespaces_;
};

}  // namespace

ScopeNamespaces FindNamespaces(const ScopeOptions& scope, std::string_view proc_root) {
  ScopeNamespaces namespaces;
  Finder finder(namespaces);
  const auto of_process = [&](std::string_view pid) {
    return absl::StrFormat("%s/%s/ns/net", std::string(proc_root), std::string(pid));
  };
  for (const std::string& path : scope.network_namespaces) {
    finder.Add(path, std::filesystem::path(path).filename());
  }
  if (scope.host) finder.Add(of_process("1"), "host");
  for (const uint32_t pid : ProcessTree(scope.pids, proc_root)) {
    finder.Add(of_process(std::to_string(pid)), "");
  }
  for (const std::string& cgroup : scope.cgroups) {
    std::ifstream processes(CgroupDirectory(cgroup) + "/cgroup.procs");
    std::string pid;
    for (size_t i = 0; i < kMaxProcesses && processes >> pid; ++i) finder.Add(of_process(pid), "");
  }
  return namespaces;
}

}  // namespace kindling::agent
