#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "agent/packets/capture_scope.h"
#include "agent/packets/packet_owners.h"
#include "agent/tasks/task.h"
#include "kindling/v1/packets.pb.h"

namespace kindling::agent {

// How an operator has this agent capture packets; "packet_capture" in the configuration.
// `scope` and `owners` must outlive the kind and its tasks.
TaskKind PacketCaptureKind(const CaptureScope& scope, PacketOwners& owners);

}  // namespace kindling::agent
