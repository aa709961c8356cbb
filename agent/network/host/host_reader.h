#pragma once

#include <string>

#include "agent/capture/events.h"
#include "agent/network/host/kernel_answers.h"

namespace kindling::agent {

// Reads that the kernel did not answer whole, by what was asked. Cumulative.
struct HostReadFailures {
  uint64_t links = 0;
  uint64_t qdiscs = 0;
  uint64_t sockets = 0;
  uint64_t too_many = 0;  // figures beyond kMaxFigures, and addresses beyond LocalPorts' limit
};

// Devices and queueing disciplines beyond have no figures.
inline constexpr size_t kMaxFigures = 10'000;

// Everything about the namespace that `kernel` answers for.
NetworkReading ReadNamespace(KernelAnswers& kernel, HostReadFailures& failures);
// What all namespaces of a host have in common. The limits of TCP's and UDP's memory are told only
// where `kernel` answers for the host's own namespace.
NetworkReading ReadHost(KernelAnswers& kernel);

}  // namespace kindling::agent
