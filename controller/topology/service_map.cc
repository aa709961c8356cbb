#include "controller/topology/service_map.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"

namespace kindling::controller {
namespace {

using EdgeKey =
    std::tuple<std::string, std::string, std::string, model::Transport, std::string, std::string>;

EdgeKey KeyOf(const EdgeGroup& group, bool by_endpoint) {
  const model::EdgeStats& sum = group.sum;
  return {group.client.name,
          group.server.name,
          ProtocolText(sum.protocol, sum.transport),
          sum.transport,
          by_endpoint ? sum.endpoint : std::string(),
          by_endpoint ? sum.status_code : std::string()};
}

void AddTo(MapEdge& edge, const EdgeGroup& group) {
  const model::EdgeStats& sum = group.sum;
  if (edge.client_kind.empty()) edge.client_kind = group.client.kind;
  if (edge.server_kind.empty()) edge.server_kind = group.server.kind;
  if (!group.client.host.empty()) edge.client_hosts.insert(group.client.host);
  if (!group.server.host.empty()) edge.server_hosts.insert(group.server.host);
  const std::string address = AddressText(PlainAddress(sum.server.address), sum.server.port);
  // Groups come in no order; the smallest makes the answer the same every time.
  if (!address.empty() && (edge.server_address.empty() || address < edge.server_address)) {
    edge.server_address = address;
  }
  (sum.observer == model::Side::kServer ? edge.server_view : edge.client_view).Add(group);
}

void CompareViews(MapEdge& edge) {
  const EdgeView& client = edge.client_view;
  const EdgeView& server = edge.server_view;
  if (!client.present || !server.present) return;
  const uint64_t difference =
      std::max(client.requests, server.requests) - std::min(client.requests, server.requests);
  const uint64_t explained = client.lost + server.lost + client.ragged + server.ragged;
  if (difference <= explained) return;
  edge.notes.push_back(absl::StrFormat(
      "The client saw %d requests and the server %d: %d more than the counted loss explains.",
      client.requests, server.requests, difference - explained));
}

// The requests that a server saw from an address shared by several clients, against what those
// clients saw themselves.
void CompareShared(const SharedAddress& shared, std::vector<MapEdge>& edges) {
  std::vector<MapEdge*> members;
  uint64_t requests = 0;
  uint64_t explained = shared.server_lost + shared.ragged_count;
  for (MapEdge& edge : edges) {
    if (edge.server != shared.server || edge.transport != shared.transport ||
        edge.protocol != ProtocolText(shared.protocol, shared.transport) ||
        !shared.clients.contains(edge.client)) {
      continue;
    }
    members.push_back(&edge);
    requests += edge.client_view.requests;
    explained += edge.client_view.lost + edge.client_view.ragged;
  }
  const uint64_t difference =
      std::max(requests, shared.server_count) - std::min(requests, shared.server_count);
  if (difference <= explained) return;
  const std::string note = absl::StrFormat(
      "The server saw %d requests from %s and its clients there (%s) %d: %d more than the counted "
      "loss explains.",
      shared.server_count, shared.address, absl::StrJoin(shared.clients, ", "), requests,
      difference - explained);
  for (MapEdge* edge : members) edge->notes.push_back(note);
}

// Connections are counted apart from requests, in rows without an endpoint: beside the endpoints of
// the same edge such a row says nothing of its own.
bool OnlyConnections(const MapEdge& edge) {
  return edge.endpoint.empty() && edge.status_code.empty() && edge.shown().requests == 0 &&
         edge.shown().lost == 0 && edge.client_view.connect_failures == 0;
}

void DropConnectionRows(std::vector<MapEdge>& edges) {
  std::set<std::tuple<std::string, std::string, std::string, model::Transport>> with_requests;
  const auto key = [](const MapEdge& edge) {
    return std::tuple(edge.client, edge.server, edge.protocol, edge.transport);
  };
  for (const MapEdge& edge : edges) {
    if (!OnlyConnections(edge)) with_requests.insert(key(edge));
  }
  std::erase_if(edges, [&](const MapEdge& edge) {
    return OnlyConnections(edge) && with_requests.contains(key(edge));
  });
}

}  // namespace

std::string ProtocolText(model::Protocol protocol, model::Transport transport) {
  return std::string(protocol == model::Protocol::kUnknown ? Name(transport) : Name(protocol));
}

void EdgeView::Add(const EdgeGroup& group) {
  const model::EdgeStats& sum = group.sum;
  present = true;
  requests += sum.count;
  if (IsError(sum.outcome)) errors += sum.count;
  slow += sum.slow_count;
  sent_bytes += sum.sent_bytes;
  received_bytes += sum.received_bytes;
  connections += sum.connections;
  connect_failures += sum.connect_failures;
  lost += sum.lost;
  ragged += group.ragged_count;
  latency.Merge(sum.latency);
}

std::vector<MapEdge> BuildEdges(const EdgeGroups& groups, bool by_endpoint,
                                const GroupPredicate& wanted) {
  std::map<EdgeKey, MapEdge> by_key;
  bool everything = true;
  for (const EdgeGroup& group : groups.groups()) {
    if (!wanted(group)) {
      everything = false;
      continue;
    }
    AddTo(by_key[KeyOf(group, by_endpoint)], group);
  }
  std::vector<MapEdge> edges;
  edges.reserve(by_key.size());
  for (auto& [key, edge] : by_key) {
    std::tie(edge.client, edge.server, edge.protocol, edge.transport, edge.endpoint,
             edge.status_code) = key;
    CompareViews(edge);
    edges.push_back(std::move(edge));
  }
  // Counts of a part of the requests cannot be held against those of all.
  if (everything && !by_endpoint) {
    for (const SharedAddress& shared : groups.shared()) CompareShared(shared, edges);
  }
  if (by_endpoint) DropConnectionRows(edges);
  return edges;
}

std::vector<MapService> BuildServices(const std::vector<MapEdge>& edges) {
  std::map<std::string, MapService> services;
  const auto touch = [&](const std::string& name, const std::string& kind,
                         const std::set<std::string>& hosts) -> MapService& {
    MapService& service = services[name];
    service.name = name;
    if (service.kind.empty()) service.kind = kind;
    service.hosts.insert(hosts.begin(), hosts.end());
    return service;
  };
  for (const MapEdge& edge : edges) {
    touch(edge.client, edge.client_kind, edge.client_hosts);
    MapService& server = touch(edge.server, edge.server_kind, edge.server_hosts);
    server.protocols.insert(edge.protocol);
    server.requests += edge.shown().requests;
    server.errors += edge.shown().errors;
    server.latency.Merge(edge.shown().latency);
  }
  std::vector<MapService> out;
  out.reserve(services.size());
  for (auto& [name, service] : services) out.push_back(std::move(service));
  return out;
}

}  // namespace kindling::controller
