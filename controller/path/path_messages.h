#pragma once

#include <map>
#include <string>

#include "kindling/v1/paths.pb.h"
#include "model/packet_path.h"
#include "model/path_journeys.h"
#include "model/path_summary.h"

namespace kindling::controller {

// Hosts by the name that hops have for their node.
using HostNames = std::map<std::string, std::string>;

// What an agent says, which may be anything: numbers out of range are none, texts are cut.
model::PathHop FromProto(const v1::TracedHop& hop, const std::string& node);

v1::PacketPath ToProto(const model::PathJourney& journey, const HostNames& hosts);
// Its places and what became of packets.
v1::PathSummary ToProto(const model::PathSummary& summary, const HostNames& hosts);

}  // namespace kindling::controller
