#include "base/version.h"

#include "absl/strings/str_format.h"

namespace kindling::base {

absl::Status CheckIngestVersions(uint32_t agent_version, uint32_t controller_version) {
  if (agent_version == 0 || controller_version == 0) {
    return absl::FailedPreconditionError(absl::StrFormat(
        "the %s did not say which ingest protocol it speaks: is it a Kindling program?",
        agent_version == 0 ? "agent" : "controller"));
  }
  // In 64 bits, for a peer may send any value.
  const uint64_t agent = agent_version;
  const uint64_t controller = controller_version;
  const char* to_upgrade = nullptr;
  if (agent + kOlderAgentVersions < controller) to_upgrade = "agent";
  if (agent > controller + kNewerAgentVersions) to_upgrade = "controller";
  if (to_upgrade == nullptr) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrFormat(
      "agent speaks ingest protocol %d and controller %d, which do not work together: "
      "upgrade the %s",
      agent, controller, to_upgrade));
}

}  // namespace kindling::base
