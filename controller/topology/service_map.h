#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "controller/topology/coverage.h"
#include "controller/topology/edge_groups.h"
#include "model/latency_histogram.h"

namespace kindling::controller {

// What one side saw of an edge.
struct EdgeView {
  bool present = false;
  uint64_t requests = 0;
  uint64_t errors = 0;
  uint64_t slow = 0;
  uint64_t sent_bytes = 0;
  uint64_t received_bytes = 0;
  uint64_t connections = 0;
  uint64_t connect_failures = 0;
  uint64_t lost = 0;
  model::LatencyHistogram latency;

  void Add(const EdgeGroup& group);
};

struct MapEdge {
  std::string client;
  std::string server;
  std::string protocol;  // the transport's name where the protocol is not known
  model::Transport transport = model::Transport::kUnknown;
  std::string endpoint;  // only when asked for, as status_code
  std::string status_code;

  std::string client_kind;
  std::string server_kind;
  std::set<std::string> client_hosts;
  std::set<std::string> server_hosts;
  std::string server_address;
  EdgeView client_view;
  EdgeView server_view;
  EdgeView mixed_view;  // of Stands::kMixed
  Stands stands = Stands::kServer;
  // Requests by which the two views differ beyond the counted loss.
  uint64_t unexplained = 0;
  std::vector<std::string> notes;

  // The view whose numbers count: the one that covers the time better, the server's where both do.
  // With endpoints it may be without an entry where the other has one.
  const EdgeView& counted() const;
  // The same for display: the only view there is, in place of none.
  const EdgeView& shown() const;
};

struct MapService {
  std::string name;
  std::string kind;
  std::set<std::string> hosts;
  std::set<std::string> protocols;
  uint64_t requests = 0;
  uint64_t errors = 0;
  model::LatencyHistogram latency;
};

using GroupPredicate = std::function<bool(const EdgeGroup&)>;

// One edge per client, server, protocol and transport (and per endpoint and status), from the
// groups that `wanted` accepts; sorted by name. The two sides' views are kept apart and compared,
// never added. They are compared by all their requests, also where `wanted` leaves some out. With
// endpoints, a row has the endpoint and the status that the view that stands gave them.
std::vector<MapEdge> BuildEdges(const EdgeGroups& groups, bool by_endpoint,
                                const GroupPredicate& wanted);

// Every workload and outside peer of the edges.
std::vector<MapService> BuildServices(const std::vector<MapEdge>& edges);

// "http", or "tcp" for an unknown protocol over TCP.
std::string ProtocolText(model::Protocol protocol, model::Transport transport);

}  // namespace kindling::controller
