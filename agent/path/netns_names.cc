#include "agent/path/netns_names.h"

#include <sys/stat.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <utility>

#include "absl/strings/str_format.h"
#include "agent/identity/procfs_reader.h"
#include "agent/identity/workload_name.h"

namespace kindling::agent {
namespace {

constexpr int64_t kLookIntervalNs = 1'000'000'000;

uint32_t InodeOf(const std::string& path) {
  struct stat info {};
  return stat(path.c_str(), &info) == 0 ? static_cast<uint32_t>(info.st_ino) : 0;
}

std::string NameOf(uint32_t pid, const ProcessFacts& facts) {
  const std::string_view container = ContainerIdOf(facts.cgroup);
  if (!container.empty()) {
    return absl::StrFormat("container %s", std::string(container.substr(0, 12)));
  }
  return absl::StrFormat("%s (pid %d)", ProgramName(facts), pid);
}

}  // namespace

NetnsNames::NetnsNames(std::vector<std::string> paths, std::string netns_directory,
                       std::string proc_root)
    : paths_(std::move(paths)),
      netns_directory_(std::move(netns_directory)),
      proc_root_(std::move(proc_root)) {}

const std::string& NetnsNames::Of(uint32_t inode, int64_t boot_ns) {
  if (auto found = names_.find(inode); found != names_.end()) return found->second;
  if (boot_ns >= next_look_ns_) {
    next_look_ns_ = boot_ns + kLookIntervalNs;
    Look();
    if (auto found = names_.find(inode); found != names_.end()) return found->second;
  }
  if (without_.size() >= kNamesMax) without_.clear();
  std::string& text = without_[inode];
  if (text.empty()) text = absl::StrFormat("net:[%d]", inode);
  return text;
}

void NetnsNames::Look() {
  names_.clear();
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(netns_directory_, ignored)) {
    if (names_.size() >= kNamesMax) break;
    const uint32_t inode = InodeOf(entry.path());
    if (inode != 0) names_.emplace(inode, entry.path().filename());
  }
  for (const std::string& path : paths_) {
    // A path such as /proc/312/ns/net names nothing but the process.
    if (path.starts_with("/proc/") || names_.size() >= kNamesMax) continue;
    const uint32_t inode = InodeOf(path);
    if (inode != 0) names_.emplace(inode, std::filesystem::path(path).filename());
  }
  if (const uint32_t host = InodeOf(proc_root_ + "/1/ns/net"); host != 0) {
    names_.emplace(host, "host");
  }
  NameByProcess();
}

void NetnsNames::NameByProcess() {
  std::map<uint32_t, uint32_t> first;  // of each namespace, its oldest process
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(proc_root_, ignored)) {
    const std::string name = entry.path().filename();
    uint32_t pid = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (error != std::errc() || end != name.data() + name.size()) continue;
    const uint32_t inode = InodeOf(entry.path() / "ns/net");
    if (inode == 0 || names_.contains(inode)) continue;
    const auto [found, is_new] = first.emplace(inode, pid);
    if (!is_new) found->second = std::min(found->second, pid);
  }
  ProcfsReader reader(proc_root_);
  for (const auto& [inode, pid] : first) {
    if (names_.size() >= kNamesMax) return;
    const ProcessFacts facts = reader.Read(pid);
    if (facts.found) names_.emplace(inode, NameOf(pid, facts));
  }
}

}  // namespace kindling::agent
