#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "base/hash.h"
#include "model/records.h"
#include "storage/blocks/edge_series.h"
#include "storage/span_search.h"

namespace kindling::storage {

// The ends of flows of any number of blocks, each once. A block's tables are looked up a number at
// a time, so that texts are hardly touched where its flows are known.
class FlowEnds {
 public:
  // Texts, parties of these texts, and flows of these parties: their numbers here.
  uint32_t Text(std::string_view text);
  uint32_t Party(const PartyIds& party);
  // By all but endpoint, outcome and status code.
  uint32_t Flow(const SeriesIds& series);
  uint32_t Flow(const model::EdgeStats& row);

  // Lifetime: until Forget().
  const SpanEnds& operator[](uint32_t flow) const { return flows_[flow - first_flow_]; }

  // How many it holds.
  size_t size() const { return flows_.size(); }
  // Of all that it holds no number is good any more; none of a flow is given again.
  void Forget();

 private:
  // Parties by number, and side, protocol and transport in one.
  struct FlowIds {
    uint32_t client;
    uint32_t server;
    uint32_t kind;
    bool operator==(const FlowIds&) const = default;

    template <typename H>
    friend H AbslHashValue(H h, const FlowIds& ids) {
      return H::combine(std::move(h), ids.client, ids.server, ids.kind);
    }
  };

  model::Party PartyOf(uint32_t number) const;
  uint32_t Party(const model::Party& party);

  std::deque<std::string> texts_;
  absl::flat_hash_map<std::string_view, uint32_t, base::StringHash> text_numbers_;
  std::deque<PartyIds> parties_;
  absl::flat_hash_map<PartyIds, uint32_t> party_numbers_;
  uint32_t first_flow_ = 0;
  std::deque<SpanEnds> flows_;
  absl::flat_hash_map<FlowIds, uint32_t> flow_numbers_;
};

}  // namespace kindling::storage
