#include "controller/topology/service_map.h"

#include <algorithm>
#include <numeric>
#include <tuple>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "controller/topology/flows.h"

namespace kindling::controller {
namespace {

// The edge that a group is part of, by what names it.
struct EdgeKey {
  const EdgeGroup* group;
  bool by_endpoint;

  auto Parts() const {
    const model::EdgeStats& sum = group->sum;
    static const std::string kNone;
    return std::tie(group->client.name, group->server.name, sum.protocol, sum.transport,
                    by_endpoint ? sum.endpoint : kNone, by_endpoint ? sum.status_code : kNone);
  }
  bool operator==(const EdgeKey& other) const { return Parts() == other.Parts(); }

  template <typename H>
  friend H AbslHashValue(H h, const EdgeKey& key) {
    return H::combine(std::move(h), key.Parts());
  }
};

MapEdge EdgeOf(const EdgeGroup& group, bool by_endpoint) {
  MapEdge edge;
  edge.client = group.client.name;
  edge.server = group.server.name;
  edge.protocol = ProtocolText(group.sum.protocol, group.sum.transport);
  edge.transport = group.sum.transport;
  if (by_endpoint) edge.endpoint = group.sum.endpoint;
  if (by_endpoint) edge.status_code = group.sum.status_code;
  return edge;
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

bool IsOfSamePair(const MapEdge& a, const MapEdge& b) {
  return a.client == b.client && a.server == b.server && a.protocol == b.protocol &&
         a.transport == b.transport;
}

bool IsBefore(const MapEdge& a, const MapEdge& b) {
  const auto names = [](const MapEdge& edge) {
    return std::tie(edge.client, edge.server, edge.protocol, edge.transport, edge.endpoint,
                    edge.status_code);
  };
  return names(a) < names(b);
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
// of it, the other. Edges of a pair follow one another.
void ChooseStanding(std::vector<MapEdge>& edges) {
  for (auto begin = edges.begin(); begin != edges.end();) {
    bool has_client = false;
    bool has_server = false;
    bool has_mixed = false;
    auto end = begin;
    for (; end != edges.end() && IsOfSamePair(*begin, *end); ++end) {
      has_client |= end->client_view.present;
      has_server |= end->server_view.present;
      has_mixed |= end->mixed_view.present;
    }
    for (; begin != end; ++begin) {
      Stands& stands = begin->stands;
      if (stands == Stands::kMixed && !has_mixed) stands = Stands::kServer;
      if (stands == Stands::kServer && !has_server) stands = Stands::kClient;
      if (stands == Stands::kClient && !has_client) stands = Stands::kServer;
    }
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
  std::vector<MapEdge> made;
  absl::flat_hash_map<EdgeKey, size_t> places;
  std::vector<const Flows::Verdict*> verdicts;  // of each
  for (const EdgeGroup& group : groups.groups()) {
    if (!wanted(group)) continue;
    const auto [place, is_new] = places.try_emplace({&group, by_endpoint}, made.size());
    if (is_new) {
      made.push_back(EdgeOf(group, by_endpoint));
      verdicts.push_back(groups.flows().VerdictOf(group.client.name, group.server.name,
                                                  group.sum.protocol, group.sum.transport));
    }
    MapEdge& edge = made[place->second];
    AddTo(edge, group);
    if (group.is_remainder && edge.notes.empty()) {
      edge.notes.push_back(
          "No watched workload at this address made these requests: a program that is not watched "
          "did, or one behind the address.");
    }
  }
  for (size_t i = 0; i < made.size(); ++i) {
    if (verdicts[i] == nullptr) continue;
    made[i].stands = verdicts[i]->choice.stands;
    if (!by_endpoint) CompareViews(*verdicts[i], made[i]);
  }
  std::vector<size_t> order(made.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(),
            [&made](size_t a, size_t b) { return IsBefore(made[a], made[b]); });
  std::vector<MapEdge> edges;
  edges.reserve(made.size());
  for (const size_t i : order) edges.push_back(std::move(made[i]));
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
