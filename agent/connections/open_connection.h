#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "agent/capture/events.h"
#include "model/edge_labels.h"
#include "model/protocol.h"

namespace kindling::agent {

// A connection that is open now, as the agent has it. `opened_ns` and `last_used_ns` are wall time;
// 0: before the agent began, never.
struct OpenConnection {
  ConnOpen open;
  model::EdgeEnds ends;
  model::Protocol protocol = model::Protocol::kUnknown;
  int64_t opened_ns = 0;
  int64_t last_used_ns = 0;
  uint64_t requests = 0;
  std::optional<TcpSample> tcp;
};

struct OpenConnections {
  std::vector<OpenConnection> connections;
  uint64_t left_out = 0;  // beyond what was asked for
};

}  // namespace kindling::agent
