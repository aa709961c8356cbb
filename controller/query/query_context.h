#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/clock.h"
#include "controller/access/caller.h"
#include "controller/fleet/agent_registry.h"
#include "model/records.h"
#include "storage/store.h"

namespace kindling::v1 {
class TimeRange;
}

namespace kindling::controller {

class FlowCache;

// Where questions are answered from.
struct QuerySources {
  storage::Store& store;
  const AgentRegistry& registry;
  const base::Clock& clock;
  FlowCache& flows;
};

// One question: on whose behalf, and whether it is still wanted.
struct QueryContext {
  const QuerySources& sources;
  Caller caller;
  std::function<bool()> cancelled;  // deadline passed, or the client has gone
};

struct Range {
  int64_t start_ns = 0;
  int64_t end_ns = 0;
  double seconds() const { return static_cast<double>(end_ns - start_ns) / 1e9; }
};

// The range with its defaults filled in: from the oldest record to now. INVALID_ARGUMENT when it
// ends before it begins.
absl::StatusOr<Range> ResolveRange(const QueryContext& context, const v1::TimeRange& time);

// Runs `plan` for the caller's tenant and cluster; DEADLINE_EXCEEDED once the question is no longer
// wanted. `visit` gets each block and returns an error to stop with.
absl::StatusOr<storage::ScanReport> ScanFor(
    const QueryContext& context, storage::ScanPlan plan,
    const std::function<absl::Status(const model::Batch&)>& visit);

// What a question is answered that is no longer wanted.
absl::Status NoLongerWanted();

// A filter that cannot be parsed, as the client is told.
absl::Status FilterFault(const absl::Status& status);

}  // namespace kindling::controller
