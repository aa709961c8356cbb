#pragma once

#include <cstdint>
#include <string_view>

#include "absl/status/status.h"

namespace kindling::base {

// Of every program of the tree and of the Debian package, which takes it from this line.
inline constexpr std::string_view kSoftwareVersion = "0.1.0";

// Of the stream between agent and controller (api/kindling/v1/ingest.proto): raised when a peer of
// the version before would misread it, not for a field that may be ignored.
inline constexpr uint32_t kIngestProtocolVersion = 1;

// A controller works with agents from two versions before its own to one after: controllers are
// upgraded first, and may be taken back one step.
inline constexpr uint32_t kOlderAgentVersions = 2;
inline constexpr uint32_t kNewerAgentVersions = 1;

// OK when an agent and a controller of these ingest protocol versions work together; else
// FailedPrecondition saying which of them to upgrade. Both sides ask it in the handshake.
absl::Status CheckIngestVersions(uint32_t agent_version, uint32_t controller_version);

}  // namespace kindling::base
