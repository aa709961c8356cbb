#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "kindling/v1/packets.pb.h"
#include "ui/cli/args.h"
#include "ui/cli/session.h"

namespace kindling::ui {

// What the command line of `capture packets` asks for.
struct PacketRequest {
  v1::CapturePacketsRequest request;
  std::string path;        // "-": standard output
  std::string filter;      // as it was given
  uint64_t max_bytes = 0;  // of the file
};

std::vector<OptionSpec> PacketOptions();

// InvalidArgument in words for the user; for a filter that does not compile in libpcap's.
absl::StatusOr<PacketRequest> ParsePacketRequest(const Session& session);

}  // namespace kindling::ui
