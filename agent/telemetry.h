#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "agent/aggregate/aggregator.h"
#include "agent/delivery.h"
#include "agent/export/exporter.h"
#include "agent/export/prometheus.h"
#include "agent/export/sender.h"
#include "base/clock.h"
#include "base/http_server.h"
#include "base/metrics.h"
#include "kindling/config/v1/agent.pb.h"

namespace kindling::agent {

// The agent's own Prometheus endpoint: GET /metrics and GET /healthz.
//
// Threads: made and served from the main thread; answers on a thread of its own.
class Telemetry {
 public:
  // `clock` must outlive this.
  Telemetry(const config::v1::AgentConfig& config, const base::Clock& clock);

  // Feeds the series of services and edges; for Delivery.
  Exporter::Tap Tap();

  // Begins to answer, unless the configuration says "off". `health` is called on the server's
  // thread. All of the arguments must outlive this.
  absl::Status Serve(const Aggregator& aggregator, const Delivery& delivery,
                     const std::function<HealthSample()>& health);
  void StopServing() { server_.reset(); }

 private:
  const std::string listen_;
  const base::Clock& clock_;
  PrometheusSeries series_;
  base::Metrics metrics_;
  std::unique_ptr<base::HttpServer> server_;  // last: ends first
};

}  // namespace kindling::agent
