#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

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
  uint64_t ragged = 0;  // see EdgeGroup::ragged_count
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
  std::vector<std::string> notes;

  // The view whose numbers stand for the edge: the server's where it was watched.
  const EdgeView& shown() const { return server_view.present ? server_view : client_view; }
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
// never added.
std::vector<MapEdge> BuildEdges(const EdgeGroups& groups, bool by_endpoint,
                                const GroupPredicate& wanted);

// Every workload and outside peer of the edges.
std::vector<MapService> BuildServices(const std::vector<MapEdge>& edges);

// "http", or "tcp" for an unknown protocol over TCP.
std::string ProtocolText(model::Protocol protocol, model::Transport transport);

}  // namespace kindling::controller
