#include "agent/kernel/kernel_scope.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <set>
#include <utility>

#include "absl/strings/str_format.h"
#include "agent/kernel/kernel_facts.h"
#include "base/errno_status.h"

namespace kindling::agent {
namespace {

constexpr size_t kCgroupsMax = 16;  // KD_SCOPE_CGROUPS
constexpr size_t kNetnsMax = 256;

absl::StatusOr<base::UniqueFd> OpenPath(const std::string& path, std::string_view what, int flags) {
  base::UniqueFd fd(open(path.c_str(), flags | O_CLOEXEC));
  if (!fd.valid()) {
    return base::ErrnoStatus(errno, absl::StrFormat("scope: %s %s", what, path));
  }
  return fd;
}

// The parent of a process, 0 if it is gone. Its name may contain anything, ')' too.
uint32_t ParentOf(const std::filesystem::path& process) {
  std::ifstream file(process / "stat");
  std::string text((std::istreambuf_iterator<char>(file)), {});
  const size_t end_of_name = text.rfind(')');
  if (end_of_name == std::string::npos || end_of_name + 4 > text.size()) return 0;
  uint32_t parent = 0;
  std::from_chars(text.data() + end_of_name + 4, text.data() + text.size(), parent);
  return parent;
}

}  // namespace

std::vector<uint32_t> ProcessTree(const std::vector<uint32_t>& roots, std::string_view proc_root) {
  std::vector<std::pair<uint32_t, uint32_t>> parents;  // process, parent
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(proc_root, ignored)) {
    const std::string name = entry.path().filename();
    uint32_t pid = 0;
    auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (error != std::errc() || end != name.data() + name.size()) continue;
    parents.emplace_back(pid, ParentOf(entry.path()));
  }
  std::set<uint32_t> tree(roots.begin(), roots.end());
  for (bool grown = true; grown;) {
    grown = false;
    for (const auto& [pid, parent] : parents) {
      if (tree.contains(parent) && tree.insert(pid).second) grown = true;
    }
  }
  return {tree.begin(), tree.end()};
}

std::string CgroupDirectory(const std::string& cgroup) {
  const std::string mount = CgroupMount();
  if (mount.empty() || cgroup.starts_with(mount)) return mount.empty() ? "" : cgroup;
  return mount + (cgroup.starts_with('/') ? "" : "/") + cgroup;
}

absl::StatusOr<ResolvedScope> ResolveScope(const ScopeOptions& options,
                                           std::string_view proc_root) {
  if (options.empty()) {
    return absl::InvalidArgumentError(
        "no scope: say what to watch, for example `scope: {network_namespaces: "
        "[/run/netns/shop]}`, "
        "or `scope: {host: true}` for the whole machine");
  }
  if (options.cgroups.size() > kCgroupsMax || options.network_namespaces.size() > kNetnsMax) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "scope: at most %d cgroups and %d network namespaces", kCgroupsMax, kNetnsMax));
  }
  ResolvedScope scope;
  scope.host = options.host;
  for (const std::string& path : options.network_namespaces) {
    auto fd = OpenPath(path, "network namespace", O_RDONLY);
    if (!fd.ok()) return fd.status();
    struct stat info {};
    if (fstat(fd->get(), &info) != 0) return base::ErrnoStatus(errno, "stat " + path);
    scope.netns_inodes.push_back(static_cast<uint32_t>(info.st_ino));
    scope.netns_fds.push_back(*std::move(fd));
  }
  for (const std::string& cgroup : options.cgroups) {
    const std::string path = CgroupDirectory(cgroup);
    if (path.empty()) {
      return absl::FailedPreconditionError("scope: cgroups need a version 2 cgroup mount");
    }
    auto fd = OpenPath(path, "cgroup", O_RDONLY | O_DIRECTORY);
    if (!fd.ok()) return fd.status();
    scope.cgroup_fds.push_back(*std::move(fd));
  }
  for (uint32_t pid : options.pids) {
    if (!std::filesystem::exists(absl::StrFormat("%s/%d", proc_root, pid))) {
      return absl::NotFoundError(absl::StrFormat("scope: there is no process %d", pid));
    }
    scope.pids.push_back(pid);
  }
  return scope;
}

}  // namespace kindling::agent
