#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "agent/packets/packet_capture.h"
#include "kindling/config/v1/agent.pb.h"

namespace kindling::agent {

// The network namespaces that an agent may capture packets of: those of its scope, or all of the
// machine where that is its scope. A scope of processes or control groups has none: others share
// their namespaces.
//
// Threads: any.
class CaptureScope {
 public:
  // Opens what the scope names, so that a name that is given anew later means nothing.
  static absl::StatusOr<CaptureScope> Open(const config::v1::Scope& scope,
                                           std::string proc_root = "/proc");

  // FAILED_PRECONDITION when there are none, or too many, and why.
  absl::StatusOr<std::vector<CaptureNamespace>> Namespaces() const;

 private:
  explicit CaptureScope(std::string proc_root) : proc_root_(std::move(proc_root)) {}
  absl::StatusOr<std::vector<CaptureNamespace>> OfAllProcesses() const;

  std::string proc_root_;
  bool is_host_ = false;
  std::vector<CaptureNamespace> named_;
};

}  // namespace kindling::agent
