#include "agent/packets/capture_scope.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <set>
#include <system_error>

#include "absl/strings/str_format.h"
#include "base/errno_status.h"
#include "base/status_macros.h"

namespace kindling::agent {
namespace {

absl::StatusOr<CaptureNamespace> OpenNamespace(const std::string& path) {
  CaptureNamespace netns{.fd = base::UniqueFd(open(path.c_str(), O_RDONLY | O_CLOEXEC)),
                         .name = path};
  struct stat info {};
  if (!netns.fd.valid() || fstat(netns.fd.get(), &info) != 0) {
    return base::ErrnoStatus(errno, "network namespace " + path);
  }
  netns.inode = static_cast<uint32_t>(info.st_ino);
  return netns;
}

bool IsNumber(const std::string& text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

absl::StatusOr<CaptureScope> CaptureScope::Open(const config::v1::Scope& scope,
                                                std::string proc_root) {
  CaptureScope opened(std::move(proc_root));
  opened.is_host_ = scope.host();
  if (opened.is_host_) return opened;
  for (const std::string& path : scope.network_namespaces()) {
    ASSIGN_OR_RETURN(CaptureNamespace netns, OpenNamespace(path));
    opened.named_.push_back(std::move(netns));
  }
  return opened;
}

absl::StatusOr<std::vector<CaptureNamespace>> CaptureScope::Namespaces() const {
  if (is_host_) return OfAllProcesses();
  if (named_.empty()) {
    return absl::FailedPreconditionError(
        "the agent's scope names no network namespace, and processes share theirs with others: "
        "packets are captured where scope has network_namespaces or host");
  }
  std::vector<CaptureNamespace> namespaces;
  for (const CaptureNamespace& netns : named_) {
    base::UniqueFd fd(fcntl(netns.fd.get(), F_DUPFD_CLOEXEC, 0));
    if (!fd.valid()) return base::ErrnoStatus(errno, "network namespace " + netns.name);
    namespaces.push_back({.fd = std::move(fd), .inode = netns.inode, .name = netns.name});
  }
  return namespaces;
}

// The agent's own first, the others by the process with the lowest number in each.
absl::StatusOr<std::vector<CaptureNamespace>> CaptureScope::OfAllProcesses() const {
  ASSIGN_OR_RETURN(CaptureNamespace own, OpenNamespace(proc_root_ + "/self/ns/net"));
  own.name = "of the host";
  std::set<uint32_t> seen = {own.inode};
  std::vector<CaptureNamespace> namespaces;
  namespaces.push_back(std::move(own));
  std::vector<uint64_t> processes;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(proc_root_, ignored)) {
    const std::string name = entry.path().filename();
    if (IsNumber(name) && name.size() < 10) processes.push_back(std::stoull(name));
  }
  std::ranges::sort(processes);
  for (const uint64_t process : processes) {
    auto netns = OpenNamespace(absl::StrFormat("%s/%d/ns/net", proc_root_, process));
    if (!netns.ok() || !seen.insert(netns->inode).second) continue;  // gone, or known
    if (namespaces.size() == PacketCapture::kMaxNamespaces) {
      return absl::FailedPreconditionError(
          absl::StrFormat("this machine has more than %d network namespaces: give the agent a "
                          "scope with network_namespaces to capture packets",
                          PacketCapture::kMaxNamespaces));
    }
    netns->name = absl::StrFormat("of process %d", process);
    namespaces.push_back(*std::move(netns));
  }
  return namespaces;
}

}  // namespace kindling::agent
