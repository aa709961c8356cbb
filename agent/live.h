#pragma once

#include <atomic>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "kindling/config/v1/agent.pb.h"

namespace kindling::agent {

struct LiveOptions {
  // Not empty: also write what was captured to this file.
  std::string record_path;
  bool record_raw = false;  // without masking values
  std::string config_yaml;  // for the recording's header
  absl::Duration duration = absl::InfiniteDuration();
};

// Captures until `*stop`, the end of options.duration, or a fatal error; then hands over what it
// has and waits a few seconds for the controller. Prints one line "ready: ..." on standard error
// when it captures.
absl::Status RunLive(const config::v1::AgentConfig& config, const LiveOptions& options,
                     const std::atomic<bool>& stop);

}  // namespace kindling::agent
