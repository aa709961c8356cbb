#include "controller/controller_metrics.h"

#include <algorithm>

#include "storage/store.h"

namespace kindling::controller {
namespace {

using base::MetricType;

double CountAgents(const AgentRegistry& registry, bool connected) {
  const std::vector<AgentInfo> agents = registry.List();
  return static_cast<double>(
      std::count_if(agents.begin(), agents.end(),
                    [&](const AgentInfo& agent) { return agent.connected == connected; }));
}

}  // namespace

void AddControllerMetrics(base::Metrics& metrics, const storage::Store& store,
                          const Committer& committer, const IngestService& ingest,
                          const AgentRegistry& registry) {
  const auto add = [&](const char* name, MetricType type, const char* help, auto read) {
    metrics.AddFunction(name, type, help, [read] { return static_cast<double>(read()); });
  };
  const auto counter = [&](const char* name, const char* help, auto read) {
    add(name, MetricType::kCounter, help, read);
  };
  const auto gauge = [&](const char* name, const char* help, auto read) {
    add(name, MetricType::kGauge, help, read);
  };

  gauge("kindling_controller_ingest_streams", "Agents' streams that are open.",
        [&ingest] { return ingest.counters().streams; });
  counter("kindling_controller_ingest_streams_opened_total", "Streams that agents have opened.",
          [&ingest] { return ingest.counters().opened; });
  counter("kindling_controller_ingest_streams_refused_total",
          "Streams refused because there were too many, or at shutdown.",
          [&ingest] { return ingest.counters().refused; });
  counter("kindling_controller_ingest_batches_total", "Batches taken from agents.",
          [&ingest] { return ingest.counters().batches; });
  counter("kindling_controller_ingest_bytes_total", "Size of the batches taken from agents.",
          [&ingest] { return ingest.counters().bytes; });
  counter("kindling_controller_ingest_invalid_total", "Streams ended by a malformed message.",
          [&ingest] { return ingest.counters().invalid; });

  counter("kindling_controller_commit_batches_total", "Batches made durable.",
          [&committer] { return committer.counters().batches; });
  counter("kindling_controller_commit_groups_total", "Synced writes to the store.",
          [&committer] { return committer.counters().groups; });
  counter("kindling_controller_commit_failures_total", "Writes that the store refused.",
          [&committer] { return committer.counters().failed_groups; });
  counter("kindling_controller_commit_malformed_total", "Batches that the store would not take.",
          [&committer] { return committer.counters().malformed; });
  counter("kindling_controller_commit_overloads_total",
          "Batches refused because too many were waiting for the store.",
          [&committer] { return committer.counters().refused; });
  gauge("kindling_controller_commit_pending_bytes", "Batches waiting for the store.",
        [&committer] { return committer.counters().pending_bytes; });

  gauge("kindling_controller_store_bytes", "Size of the store on disk.",
        [&store] { return store.ApproximateBytes(); });
  gauge("kindling_controller_store_oldest_timestamp_seconds",
        "Time of the oldest record; 0 for an empty store.",
        [&store] { return static_cast<double>(store.OldestNs()) / 1e9; });

  for (const bool connected : {true, false}) {
    metrics.AddFunction("kindling_controller_agents", MetricType::kGauge, "Agents by state.",
                        [&registry, connected] { return CountAgents(registry, connected); },
                        {{"state", connected ? "connected" : "silent"}});
  }
}

void AddFlowCacheMetrics(base::Metrics& metrics, const FlowCache& flows) {
  metrics.AddFunction("kindling_controller_flow_cache_loads_total", MetricType::kCounter,
                      "Times that flows were loaded, to name the ends of spans.",
                      [&flows] { return static_cast<double>(flows.loads()); });
  metrics.AddFunction("kindling_controller_flow_cache_bytes", MetricType::kGauge,
                      "Memory of the flows kept from question to question, roughly.",
                      [&flows] { return static_cast<double>(flows.memory_bytes()); });
}

}  // namespace kindling::controller
