#pragma once

#include <string>

#include "absl/status/status.h"
#include "kindling/config/v1/agent.pb.h"

namespace kindling::agent {

struct ReplayOptions {
  std::string path;
  // Times as recorded, or moved so that the recording ends now.
  bool shift_to_now = false;
};

// Plays a recording through the pipeline of a live agent and sends the result to config's
// controller. Windows, thresholds and caps are the recording's. Needs no root. Failure: a damaged
// recording is played as far as it goes, and the error returned.
absl::Status Replay(const config::v1::AgentConfig& config, const ReplayOptions& options);

}  // namespace kindling::agent
