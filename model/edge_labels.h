#pragma once

#include <compare>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/protocol.h"
#include "model/records.h"

// How metric series say which edge of the service map they belong to. TCP's statistics do, and
// whatever else hangs on edges can.
namespace kindling::model {

// Of an edge as one side saw it. A client without anything: what belongs to the server alone, as
// the queue of its listener does.
struct EdgeEnds {
  Side observer = Side::kUnknown;
  Party client;
  Party server;
  auto operator<=>(const EdgeEnds&) const = default;

  template <typename H>
  friend H AbslHashValue(H h, const EdgeEnds& ends) {
    return H::combine(std::move(h), ends.observer, ends.client, ends.server);
  }
};

// Says which transport series are of that may be of several.
inline constexpr char kTransportLabel[] = "transport";

using Labels = std::vector<std::pair<std::string, std::string>>;  // by name, each name once

// What is empty has no label. A client's port is not part of an edge.
Labels LabelsOf(const EdgeEnds& ends);
// The reverse; labels of other names are passed over.
EdgeEnds EndsOf(const Labels& labels);
// Puts a label in its place. REQUIRES: there is none of this name.
void AddLabel(std::string_view name, std::string_view value, Labels& labels);
// "" where there is none.
std::string_view LabelOf(const Labels& labels, std::string_view name);

}  // namespace kindling::model
