#include "agent/network/host/host_network.h"

#include <fcntl.h>
#include <sched.h>

#include <utility>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "base/unique_fd.h"

namespace kindling::agent {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(5);

}  // namespace

bool EnterNamespace(int namespace_fd) { return ::setns(namespace_fd, CLONE_NEWNET) == 0; }

std::vector<NetworkReading> HostNetwork::Read() {
  const absl::Time end = absl::Now() + kPatience;
  std::vector<NetworkReading> readings = {ReadHost(environment_.kernel)};
  const base::UniqueFd own(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
  const ScopeNamespaces namespaces = environment_.find();
  gone_ += namespaces.gone;
  beyond_ += namespaces.beyond;
  for (const NamespaceRef& name_space : namespaces.found) {
    if (absl::Now() > end) {
      ++late_;
      continue;
    }
    if (!environment_.enter(name_space.fd.get())) {
      ++gone_;
      continue;
    }
    NetworkReading reading = ReadNamespace(environment_.kernel, failures_);
    reading.netns = name_space.inode;
    reading.name_space = name_space.name;
    readings.push_back(std::move(reading));
  }
  environment_.enter(own.get());
  WriteFailures(readings.front());
  return readings;
}

void HostNetwork::WriteFailures(NetworkReading& host) const {
  const std::pair<const char*, uint64_t> reasons[] = {
      {model::host::kGone, gone_},
      {"too_many_namespaces", beyond_},
      {"too_late", late_},
      {"links", failures_.links},
      {"qdiscs", failures_.qdiscs},
      {"sockets", failures_.sockets},
      {"too_many_figures", failures_.too_many},
  };
  for (const auto& [reason, count] : reasons) {
    host.figures.push_back({.metric = model::host::Metric::kUnread,
                            .detail = reason,
                            .value = static_cast<double>(count)});
  }
}

}  // namespace kindling::agent
