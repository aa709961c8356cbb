#include "agent/telemetry.h"

#include <utility>

#include "absl/strings/str_format.h"
#include "agent/export/self_metrics.h"

namespace kindling::agent {

Telemetry::Telemetry(const config::v1::AgentConfig& config, const base::Clock& clock)
    : listen_(config.metrics_listen()),
      clock_(clock),
      series_({.max_series = config.limits().series(),
               .expiry_ns = int64_t{config.limits().series_expiry_s()} * 1'000'000'000}) {}

Exporter::Tap Telemetry::Tap() {
  return [this](const model::Batch& batch) { series_.Add(batch, clock_.BootNs()); };
}

absl::Status Telemetry::Serve(const Aggregator& aggregator, const Delivery& delivery,
                              const std::function<HealthSample()>& health) {
  if (listen_ == "off") return absl::OkStatus();
  AddSelfMetrics({.aggregator = &aggregator.counters(),
                  .series = &series_,
                  .exporter = &delivery.exporter(),
                  .spool = &delivery.spool(),
                  .sender = &delivery.sender()},
                 metrics_);
  using base::MetricType;
  metrics_.AddFunction("kindling_agent_connections", MetricType::kGauge,
                       "Connections followed now.",
                       [health] { return static_cast<double>(health().connections); });
  metrics_.AddFunction("kindling_agent_events_total", MetricType::kCounter,
                       "Kernel events taken from the rings.",
                       [health] { return static_cast<double>(health().events); });
  metrics_.AddFunction("kindling_agent_lost_events_total", MetricType::kCounter,
                       "Kernel events that found a ring or a map full.",
                       [health] { return static_cast<double>(health().lost_events); });
  metrics_.AddFunction("kindling_agent_bpf_memory_bytes", MetricType::kGauge,
                       "Memory of the agent's BPF maps.",
                       [health] { return static_cast<double>(health().bpf_bytes); });
  metrics_.AddFunction("kindling_agent_rung", MetricType::kGauge,
                       "Detail of capture: 0 full, 1 heads, 2 aggregates, 3 counters.",
                       [health] { return static_cast<double>(health().rung); });
  const auto text = [this] {
    return base::HttpResponse{.content_type = std::string(base::MetricsText::kContentType),
                              .body = metrics_.Text()};
  };
  absl::StatusOr<std::unique_ptr<base::HttpServer>> server = base::HttpServer::Start(
      {.listen = listen_},
      {{"/metrics", text}, {"/healthz", [] { return base::HttpResponse{.body = "ok\n"}; }}});
  if (!server.ok()) {
    return absl::Status(
        server.status().code(),
        absl::StrFormat("metrics_listen: %s; set metrics_listen to another address, "
                        "or to \"off\"",
                        server.status().message()));
  }
  server_ = *std::move(server);
  return absl::OkStatus();
}

}  // namespace kindling::agent
