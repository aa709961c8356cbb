#include "agent/export/self_metrics.h"

#include <atomic>
#include <functional>
#include <string>

#include "agent/aggregate/aggregator.h"
#include "agent/export/exporter.h"
#include "agent/export/prometheus.h"
#include "agent/export/sender.h"
#include "agent/export/spool.h"
#include "base/metrics.h"
#include "base/process_usage.h"

namespace kindling::agent {
namespace {

using base::MetricType;

void AddAggregator(const AggregatorCounters* c, base::Metrics& metrics) {
  const auto counter = [&](const char* name, const char* help, const std::atomic<uint64_t>& value) {
    metrics.AddFunction(name, MetricType::kCounter, help,
                        [&value] { return static_cast<double>(value.load()); });
  };
  counter("kindling_agent_requests_total", "Finished requests.", c->requests);
  counter("kindling_agent_late_requests_total",
          "Requests that ended before the window they were counted in.", c->late_requests);
  counter("kindling_agent_folded_requests_total",
          "Requests counted under (other) because a cap was reached.", c->folded_requests);
  counter("kindling_agent_spans_total", "Spans handed over for sending.", c->spans);
  counter("kindling_agent_spans_without_room_total",
          "Spans that would have been kept had there been room.", c->spans_without_room);
  metrics.AddFunction("kindling_agent_edges", MetricType::kGauge, "Edges known now.",
                      [c] { return static_cast<double>(c->edges.load()); });
  metrics.AddFunction("kindling_agent_window_rows", MetricType::kGauge,
                      "Aggregate rows of the last window.",
                      [c] { return static_cast<double>(c->rows.load()); });
}

void AddSeries(const PrometheusSeries* series, base::Metrics& metrics) {
  metrics.AddFunction("kindling_agent_series", MetricType::kGauge,
                      "Series of this page that come from aggregates, overflow series apart.",
                      [series] { return static_cast<double>(series->series()); });
  metrics.AddFunction("kindling_agent_series_overflow_rows_total", MetricType::kCounter,
                      "Aggregate rows summed in an overflow series because of the series cap.",
                      [series] { return static_cast<double>(series->overflowed_rows()); });
  metrics.AddWriter([series](base::MetricsText& text) { series->WriteTo(text); });
}

void AddExporter(const Exporter* exporter, base::Metrics& metrics) {
  const ExporterCounters& c = exporter->counters();
  const auto counter = [&](const char* name, const char* help, const std::atomic<uint64_t>& value) {
    metrics.AddFunction(name, MetricType::kCounter, help,
                        [&value] { return static_cast<double>(value.load()); });
  };
  counter("kindling_agent_spooled_batches_total", "Batches written to the spool.", c.batches);
  counter("kindling_agent_spooled_bytes_total", "Bytes of batches written to the spool.", c.bytes);
  counter("kindling_agent_spool_write_failures_total", "Failed writes to the spool.",
          c.failed_writes);
}

void AddSpool(const Spool* spool, base::Metrics& metrics) {
  metrics.AddFunction("kindling_agent_spool_bytes", MetricType::kGauge,
                      "Size of the spool on disk.",
                      [spool] { return static_cast<double>(spool->bytes()); });
  metrics.AddFunction("kindling_agent_spool_waiting_batches", MetricType::kGauge,
                      "Batches in the spool that the controller has not acknowledged.",
                      [spool] { return static_cast<double>(spool->unacknowledged()); });
  for (size_t i = 0; i < Spool::kDropCauses; ++i) {
    const base::MetricLabels cause = {
        {"cause", std::string(Spool::Name(static_cast<Spool::DropCause>(i)))}};
    const auto counter = [&](const char* name, const char* help, uint64_t Spool::Dropped::*value) {
      metrics.AddFunction(
          name, MetricType::kCounter, help,
          [spool, i, value] { return static_cast<double>(spool->dropped()[i].*value); }, cause);
    };
    counter("kindling_agent_spool_dropped_batches_total",
            "Batches dropped from the spool before they were acknowledged.",
            &Spool::Dropped::batches);
    counter("kindling_agent_spool_dropped_requests_total",
            "Requests whose aggregates were dropped from the spool.", &Spool::Dropped::requests);
    counter("kindling_agent_spool_dropped_spans_total", "Spans dropped from the spool.",
            &Spool::Dropped::spans);
  }
}

void AddSender(const Sender* sender, base::Metrics& metrics) {
  metrics.AddFunction("kindling_agent_controller_connected", MetricType::kGauge,
                      "1 while connected to the controller.",
                      [sender] { return sender->state().connected ? 1.0 : 0.0; });
  const auto counter = [&](const char* name, const char* help, uint64_t SenderState::*value) {
    metrics.AddFunction(name, MetricType::kCounter, help,
                        [sender, value] { return static_cast<double>(sender->state().*value); });
  };
  counter("kindling_agent_controller_connections_total", "Connections made to the controller.",
          &SenderState::connections);
  counter("kindling_agent_sent_batches_total", "Batches sent, repetitions included.",
          &SenderState::batches_sent);
  counter("kindling_agent_acknowledged_batches_total", "Batches that the controller made durable.",
          &SenderState::batches_acknowledged);
}

}  // namespace

void AddSelfMetrics(const SelfMetricsSources& sources, base::Metrics& metrics) {
  AddAggregator(sources.aggregator, metrics);
  AddSeries(sources.series, metrics);
  AddExporter(sources.exporter, metrics);
  AddSpool(sources.spool, metrics);
  if (sources.sender != nullptr) AddSender(sources.sender, metrics);
  metrics.AddFunction("kindling_agent_resident_memory_bytes", MetricType::kGauge,
                      "Resident memory of the agent, BPF maps apart.",
                      [] { return static_cast<double>(base::ReadProcessUsage().resident_bytes); });
  metrics.AddFunction("kindling_agent_cpu_seconds_total", MetricType::kCounter,
                      "CPU time of the agent, user and system.",
                      [] { return base::ReadProcessUsage().cpu_seconds; });
}

}  // namespace kindling::agent
