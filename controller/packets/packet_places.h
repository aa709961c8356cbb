#pragma once

#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "controller/query/query_context.h"

namespace kindling::controller {

// Whose packets are wanted. Names of workloads; either of a service, or of an edge, or nobody in
// particular.
struct PacketEnds {
  std::string service;  // at either end
  std::string client;
  std::string server;
  bool empty() const { return service.empty() && client.empty() && server.empty(); }
};

// The packet filters that select what passed between `ends`, by the host that is to capture: by all
// addresses and ports that were seen of them in `range`, before and behind address translation.
// Addresses that mean something on one host only are in its filter alone.
//
// `filter`, pcap-filter(7), is what is asked for besides; it must compile.
//
// Failure: NotFound when nothing was seen of them; ResourceExhausted when they have more addresses
//          than a filter holds.
absl::StatusOr<std::map<std::string, std::string>> PacketFiltersFor(const QueryContext& context,
                                                                    const PacketEnds& ends,
                                                                    const Range& range,
                                                                    const std::string& filter);

}  // namespace kindling::controller
