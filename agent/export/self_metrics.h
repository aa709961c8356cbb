#pragma once

namespace kindling::base {
class Metrics;
}

namespace kindling::agent {

struct AggregatorCounters;
class Exporter;
class PrometheusSeries;
class Sender;
class Spool;

// What the export side of the agent knows of itself, as kindling_agent_* metrics. All of them must
// outlive `metrics`; `sender` may be null.
struct SelfMetricsSources {
  const AggregatorCounters* aggregator = nullptr;
  const PrometheusSeries* series = nullptr;
  const Exporter* exporter = nullptr;
  const Spool* spool = nullptr;
  const Sender* sender = nullptr;
};
void AddSelfMetrics(const SelfMetricsSources& sources, base::Metrics& metrics);

}  // namespace kindling::agent
