#pragma once

#include <cstdint>
#include <functional>
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

// Adds up how much of what happened an answer is made of; api/kindling/v1/query.proto says what the
// result means.
class CompletenessSum {
 public:
  // Requests of the edges in the answer.
  void AddCaptured(const std::vector<MapEdge>& edges);
  // Records of an answer that is not made of requests.
  void AddCaptured(uint64_t records) { captured_ += records; }

  // What is known to be missing from edges that the answer is about, or may be.
  void AddMissing(const std::vector<MapEdge>& edges);
  // Requests that rows of edges count as lost.
  void AddLost(uint64_t requests);
  // What could not be attributed to an edge, for an answer made of requests.
  void AddLoss(const model::Loss& loss);
  // The same for one made of process events, or of connections: lost requests are none of its
  // concern.
  void AddProcessLoss(const model::Loss& loss);
  // Blocks that could not be read.
  void AddReport(const storage::ScanReport& report);
  // Agents that fell silent before the end of the range, of hosts that `concerns` accepts.
  void AddAgents(const std::vector<AgentInfo>& agents, const Range& range,
                 const std::function<bool(const std::string& host)>& concerns);
  // One agent that has not told what it should have; `note` says so in a sentence.
  void AddSilentAgent(const std::string& host, std::string note);

  void WriteTo(v1::Completeness* out) const;

 private:
  struct Sum {
    uint64_t requests = 0;
    uint64_t events = 0;
    uint64_t bytes = 0;
  };
  Sum& StageOf(const model::Loss& loss) {
    return by_stage_[{std::string(Name(loss.stage)), loss.host}];
  }

  uint64_t captured_ = 0;
  uint64_t lost_ = 0;
  uint64_t lost_other_ = 0;
  bool is_missing_some_ = false;                                 // of which nobody can say how many
  std::map<std::pair<std::string, std::string>, Sum> by_stage_;  // stage, host
  std::vector<std::string> notes_;
};

}  // namespace kindling::controller
