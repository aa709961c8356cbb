#include "agent/aggregate/edge_table.h"

#include <string>
#include <tuple>

namespace kindling::agent {
namespace {

size_t HashOf(const model::Party& party) {
  const base::StringHash text;
  return absl::HashOf(text(party.workload), text(party.host), text(party.address), party.port,
                      text(party.dns_name));
}

model::Party OtherParty() {
  model::Party party;
  party.address = std::string(model::kOtherName);
  return party;
}

std::string_view Capped(base::StringMap<uint8_t>& names, size_t limit, std::string_view name) {
  if (name.empty()) return name;
  if (const auto found = names.find(name); found != names.end()) {
    found->second = 1;
    return name;
  }
  if (names.size() >= limit) return model::kOtherName;
  names.emplace(std::string(name), 1);
  return name;
}

void Sweep(base::StringMap<uint8_t>& names) {
  absl::erase_if(names, [](auto& entry) {
    const bool unused = entry.second == 0;
    entry.second = 0;
    return unused;
  });
}

}  // namespace

size_t EdgeHash::operator()(const Edge& edge) const {
  return absl::HashOf(edge.observer, edge.protocol, edge.transport, HashOf(edge.client),
                      HashOf(edge.server));
}

std::shared_ptr<const InternedEdge> EdgeTable::Intern(const Edge& edge) {
  if (const auto found = edges_.find(edge); found != edges_.end()) return found->second;
  if (edges_.size() < limits_.edges) return Insert(edge);
  ++capped_edges_;
  Edge folded = edge;
  if (edge.observer != model::Side::kServer) folded.server = OtherParty();
  if (edge.observer != model::Side::kClient) folded.client = OtherParty();
  if (const auto found = edges_.find(folded); found != edges_.end()) return found->second;
  if (edges_.size() >= 2 * limits_.edges) {
    folded.client = OtherParty();
    folded.server = OtherParty();
    if (const auto found = edges_.find(folded); found != edges_.end()) return found->second;
  }
  return Insert(std::move(folded));
}

std::shared_ptr<const InternedEdge> EdgeTable::Insert(Edge edge) {
  auto interned = std::make_shared<InternedEdge>();
  std::weak_ptr<ServiceNames>& service = services_[{edge.server, edge.protocol}];
  interned->service = service.lock();
  if (interned->service == nullptr) {
    interned->service = std::make_shared<ServiceNames>();
    service = interned->service;
  }
  edges_.emplace(edge, interned);
  interned->edge = std::move(edge);
  return interned;
}

std::string_view EdgeTable::CappedEndpoint(const InternedEdge& edge, std::string_view name) {
  return Capped(edge.service->endpoints, limits_.endpoints, name);
}

std::string_view EdgeTable::CappedStatus(const InternedEdge& edge, std::string_view name) {
  return Capped(edge.service->statuses, limits_.statuses, name);
}

void EdgeTable::DropUnreferenced(const RowSet& rows) {
  absl::flat_hash_set<const InternedEdge*> with_rows;
  for (const std::unique_ptr<Row>& row : rows) with_rows.insert(row->edge);
  absl::erase_if(edges_, [&](const auto& entry) {
    return entry.second.use_count() == 1 && !with_rows.contains(entry.second.get());
  });
  std::erase_if(services_, [](const auto& entry) { return entry.second.expired(); });
}

void EdgeTable::SweepNames() {
  for (auto& [key, service] : services_) {
    if (const auto names = service.lock()) {
      Sweep(names->endpoints);
      Sweep(names->statuses);
    }
  }
}

}  // namespace kindling::agent
