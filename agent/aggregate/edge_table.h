#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string_view>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "agent/aggregate/edge.h"
#include "agent/aggregate/row.h"
#include "model/records.h"

namespace kindling::agent {

// The edges and the endpoint names that the aggregator knows, each capped.
//
// Threads: capture thread only.
// Limits:  beyond `max_edges` the peer of a new edge becomes "(other)"; beyond twice that, both
//          parties do. Names beyond their cap per service and protocol become "(other)".
class EdgeTable {
 public:
  struct Limits {
    size_t edges = 20'000;
    size_t endpoints = 200;  // per service and protocol, as statuses
    size_t statuses = 50;
  };
  explicit EdgeTable(Limits limits) : limits_(limits) {}

  std::shared_ptr<const InternedEdge> Intern(const Edge& edge);

  // `name` itself while it is known or there is room for it, else model::kOtherName.
  std::string_view CappedEndpoint(const InternedEdge& edge, std::string_view name);
  std::string_view CappedStatus(const InternedEdge& edge, std::string_view name);

  // Forgets edges that neither a connection nor one of `rows` refers to.
  void DropUnreferenced(const RowSet& rows);
  // Forgets names unused since the call before.
  void SweepNames();

  size_t size() const { return edges_.size(); }
  // Edges that were folded into "(other)".
  uint64_t capped_edges() const { return capped_edges_; }

 private:
  std::shared_ptr<const InternedEdge> Insert(Edge edge);

  const Limits limits_;
  absl::flat_hash_map<Edge, std::shared_ptr<InternedEdge>, EdgeHash> edges_;
  std::map<std::pair<model::Party, model::Protocol>, std::weak_ptr<ServiceNames>> services_;
  uint64_t capped_edges_ = 0;
};

}  // namespace kindling::agent
