#pragma once

#include <functional>
#include <vector>

#include "agent/capture/events.h"
#include "agent/network/host/host_reader.h"
#include "agent/network/host/kernel_answers.h"
#include "agent/network/host/scope_namespaces.h"

namespace kindling::agent {

// Reads the network of the host and of each namespace in scope, one after the other.
//
// Threads: one, which has no other business: it enters the namespaces.
// Failure: a namespace that is gone is passed over; that, and what was not read whole, is counted
//          in figures of Metric::kUnread.
// Limits:  what is not begun after five seconds is left out and counted.
class HostNetwork {
 public:
  struct Environment {
    std::function<ScopeNamespaces()> find;
    std::function<bool(int namespace_fd)> enter;
    KernelAnswers& kernel;
  };
  explicit HostNetwork(Environment environment) : environment_(std::move(environment)) {}

  std::vector<NetworkReading> Read();

 private:
  void WriteFailures(NetworkReading& host) const;

  const Environment environment_;
  HostReadFailures failures_;
  uint64_t gone_ = 0;
  uint64_t beyond_ = 0;
  uint64_t late_ = 0;
};

// Puts the calling thread into a network namespace.
bool EnterNamespace(int namespace_fd);

}  // namespace kindling::agent
