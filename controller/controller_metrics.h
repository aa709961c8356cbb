#pragma once

#include "base/metrics.h"
#include "controller/fleet/agent_registry.h"
#include "controller/ingest/committer.h"
#include "controller/ingest/ingest_service.h"
#include "controller/query/flow_cache.h"

namespace kindling::storage {
class Store;
}

namespace kindling::controller {

// What the controller says of itself to Prometheus. The parts must outlive `metrics`.
void AddControllerMetrics(base::Metrics& metrics, const storage::Store& store,
                          const Committer& committer, const IngestService& ingest,
                          const AgentRegistry& registry);

void AddFlowCacheMetrics(base::Metrics& metrics, const FlowCache& flows);

}  // namespace kindling::controller
