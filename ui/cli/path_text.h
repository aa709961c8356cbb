#pragma once

#include <string>

#include "kindling/v1/paths.pb.h"
#include "ui/cli/style.h"

// Packet paths as people read them.
namespace kindling::ui {

// One packet: a line that says which, then one for each hop. `number` counts from 1. Hosts are
// named where there are several.
std::string PacketText(const v1::PacketPath& packet, int number, bool with_hosts,
                       const Style& style);

// The places on the way with what packets took to them, what became of packets and where they were
// dropped; below it what was not seen.
std::string PathSummaryText(const v1::PathSummary& summary, bool with_hosts, const Style& style,
                            size_t width);
// The same without the places.
std::string PathTallyText(const v1::PathSummary& summary, const Style& style);

}  // namespace kindling::ui
