#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/hash.h"
#include "model/records.h"

namespace kindling::agent {

// What one side of a connection has in common with every other connection between the same two
// parties.
struct Edge {
  model::Side observer = model::Side::kUnknown;
  model::Protocol protocol = model::Protocol::kUnknown;
  model::Transport transport = model::Transport::kUnknown;
  model::Party client;
  model::Party server;
  bool operator==(const Edge&) const = default;
};

struct EdgeHash {
  size_t operator()(const Edge& edge) const;
};

// Texts that requests to one service in one protocol have carried, to the value 0 for one that was
// unused in the last sweep and 1 otherwise.
struct ServiceNames {
  base::StringMap<uint8_t> endpoints;
  base::StringMap<uint8_t> statuses;
};

// An edge known to the aggregator. Rows are keyed by its address.
struct InternedEdge {
  Edge edge;
  std::shared_ptr<ServiceNames> service;
};

// A connection as the aggregator needs it; kept by whoever follows the connection, so that a
// request copies no text. Lifetime: the reference keeps the edge known; drop it with the
// connection.
struct EdgeContext {
  std::shared_ptr<const InternedEdge> edge;  // of Aggregator::Intern()
  uint16_t client_port = 0;
  uint32_t pid = 0;
  // Of the connection; set it to 0 after the connection's first request.
  int64_t connect_duration_ns = 0;
};

}  // namespace kindling::agent
