#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "controller/fleet/agent_registry.h"
#include "controller/query/query_context.h"
#include "controller/topology/service_map.h"
#include "model/records.h"
#include "storage/store.h"

namespace kindling::v1 {
class Completeness;
}

namespace kindling::controller {

// Adds up how much of what happened an answer is made of.
class CompletenessSum {
 public:
  // Requests of the edges in the answer, and what is known to be missing from them.
  void AddEdges(const std::vector<MapEdge>& edges);
  // What could not be attributed to an edge.
  void AddLoss(const model::Loss& loss);
  // Blocks that could not be read.
  void AddReport(const storage::ScanReport& report);
  // Agents that fell silent before the end of the range.
  void AddAgents(const std::vector<AgentInfo>& agents, const Range& range);

  void WriteTo(v1::Completeness* out) const;

 private:
  struct Sum {
    uint64_t requests = 0;
    uint64_t events = 0;
    uint64_t bytes = 0;
  };
  uint64_t captured_ = 0;
  uint64_t lost_ = 0;
  std::map<std::pair<std::string, std::string>, Sum> by_stage_;  // stage, host
  std::vector<std::string> notes_;
};

}  // namespace kindling::controller
