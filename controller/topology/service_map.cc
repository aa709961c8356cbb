#include "controller/topology/service_map.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "controller/topology/flows.h"

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
  if (group.is_mixed) {
    edge.mixed_view.Add(group);
  } else {
    (sum.observer == model::Side::kServer ? edge.server_view : edge.client_view).Add(group);
  }
}

using PairKey = std::tuple<std::string, std::string, std::string, model::Transport>;

PairKey PairOf(const MapEdge& edge) {
  return {edge.client, edge.server, edge.protocol, edge.transport};
}

PairKey PairOf(const EdgeGroup& group) {
  return {group.client.name, group.server.name,
          ProtocolText(group.sum.protocol, group.sum.transport), group.sum.transport};
}

void CompareViews(const Flows::Verdict& verdict, MapEdge& edge) {
  edge.unexplained = verdict.unexplained;
  if (edge.stands == Stands::kMixed) {
    edge.notes.push_back(
        "Neither side saw all of the time: for each part of it the numbers are those of the side "
        "that saw more.");
  }
  if (verdict.unexplained == 0) return;
  edge.notes.push_back(absl::StrFormat(
      "The client saw %d requests and the server %d: %d more than the counted loss explains.",
      verdict.client_count, verdict.server_count, verdict.unexplained));
}

// The requests that a server saw from an address shared by several clients, against what those
// clients saw themselves.
void CompareShared(const Flows::Origin& origin, std::vector<MapEdge>& edges) {
  if (origin.unexplained == 0) return;
  std::vector<std::string> names;
  for (const EndName& caller : origin.callers) names.push_back(caller.name);
  const std::string note = absl::StrFormat(
      "The server saw %d requests from %s and its clients there (%s) %d: %d more than the counted "
      "loss explains.",
      origin.count, origin.address, absl::StrJoin(names, ", "), origin.caller_count,
      origin.unexplained);
  bool is_counted = false;
  for (MapEdge& edge : edges) {
    if (edge.server != origin.server || edge.transport != origin.transport ||
        edge.protocol != ProtocolText(origin.protocol, origin.transport) ||
        std::find(names.begin(), names.end(), edge.client) == names.end()) {
      continue;
    }
    edge.notes.push_back(note);
    if (!is_counted) edge.unexplained += origin.unexplained;
    is_counted = true;
  }
}

// The view that stands for a pair of ends is one for all its endpoints; where a filter left nothing
// of it, the other.
void ChooseStanding(std::vector<MapEdge>& edges) {
  struct Present {
    bool client = false;
    bool server = false;
    bool mixed = false;
  };
  std::map<PairKey, Present> present;
  for (const MapEdge& edge : edges) {
    Present& views = present[PairOf(edge)];
    views.client |= edge.client_view.present;
    views.server |= edge.server_view.present;
    views.mixed |= edge.mixed_view.present;
  }
  for (MapEdge& edge : edges) {
    const Present& views = present[PairOf(edge)];
    if (edge.stands == Stands::kMixed && !views.mixed) edge.stands = Stands::kServer;
    if (edge.stands == Stands::kServer && !views.server) edge.stands = Stands::kClient;
    if (edge.stands == Stands::kClient && !views.client) edge.stands = Stands::kServer;
  }
}

// Connections are counted apart from requests, in rows without an endpoint: beside the endpoints of
// the same edge such a row says nothing of its own.
bool OnlyConnections(const MapEdge& edge) {
  return edge.endpoint.empty() && edge.status_code.empty() && edge.shown().requests == 0 &&
         edge.shown().lost == 0 && edge.client_view.connect_failures == 0;
}

void DropConnectionRows(std::vector<MapEdge>& edges) {
  std::set<PairKey> with_requests;
  for (const MapEdge& edge : edges) {
    if (!OnlyConnections(edge)) with_requests.insert(PairOf(edge));
  }
  std::erase_if(edges, [&](const MapEdge& edge) {
    return OnlyConnections(edge) && with_requests.contains(PairOf(edge));
  });
}

}  // namespace

std::string ProtocolText(model::Protocol protocol, model::Transport transport) {
  return std::string(protocol == model::Protocol::kUnknown ? Name(transport) : Name(protocol));
}

const EdgeView& MapEdge::counted() const {
  switch (stands) {
    case Stands::kClient:
      return client_view;
    case Stands::kMixed:
      return mixed_view;
    case Stands::kServer:
      break;
  }
  return server_view;
}

const EdgeView& MapEdge::shown() const {
  if (counted().present) return counted();
  return server_view.present ? server_view : client_view;
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
  latency.Merge(sum.latency);
}

std::vector<MapEdge> BuildEdges(const EdgeGroups& groups, bool by_endpoint,
                                const GroupPredicate& wanted) {
  std::map<EdgeKey, MapEdge> by_key;
  std::map<PairKey, const Flows::Verdict*> verdicts;
  for (const EdgeGroup& group : groups.groups()) {
    if (!wanted(group)) continue;
    const auto [verdict, is_new] = verdicts.try_emplace(PairOf(group), nullptr);
    if (is_new) {
      verdict->second = groups.flows().VerdictOf(group.client.name, group.server.name,
                                                 group.sum.protocol, group.sum.transport);
    }
    MapEdge& edge = by_key[KeyOf(group, by_endpoint)];
    AddTo(edge, group);
    if (group.is_remainder && edge.notes.empty()) {
      edge.notes.push_back(
          "No watched workload at this address made these requests: a program that is not watched "
          "did, or one behind the address.");
    }
  }
  std::vector<MapEdge> edges;
  edges.reserve(by_key.size());
  for (auto& [key, edge] : by_key) {
    std::tie(edge.client, edge.server, edge.protocol, edge.transport, edge.endpoint,
             edge.status_code) = key;
    edges.push_back(std::move(edge));
  }
  for (MapEdge& edge : edges) {
    const auto verdict = verdicts.find(PairOf(edge));
    if (verdict == verdicts.end() || verdict->second == nullptr) continue;
    edge.stands = verdict->second->choice.stands;
    if (!by_endpoint) CompareViews(*verdict->second, edge);
  }
  ChooseStanding(edges);
  if (!by_endpoint) {
    for (const Flows::Origin* origin : groups.flows().origins()) CompareShared(*origin, edges);
  }
  if (by_endpoint) {
    // What one side calls otherwise than the side that stands is in that side's rows already.
    std::erase_if(edges, [](const MapEdge& edge) {
      return !edge.counted().present && edge.client_view.connect_failures == 0;
    });
    DropConnectionRows(edges);
  }
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
