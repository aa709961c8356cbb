#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "kindling/v1/firewall.pb.h"

namespace kindling::agent {

// The commands to nft that mark the packets of a selection, both ways, in a table of its own that
// goes with the socket that made it (nft(8), flags owner). Nothing of the selection's text gets
// into them as it is. INVALID_ARGUMENT says what is wrong with it.
absl::StatusOr<std::vector<std::string>> MarkCommands(const v1::PacketSelection& selection,
                                                      const std::string& table);

}  // namespace kindling::agent
