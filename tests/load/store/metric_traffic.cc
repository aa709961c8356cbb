#include "tests/load/store/metric_traffic.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "absl/strings/str_format.h"

namespace kindling::load {
namespace {

constexpr std::array<const char*, 8> kCounters = {
    "tcp_retransmits_total", "tcp_connects_total",    "tcp_resets_total",
    "tcp_sent_bytes_total",  "dns_queries_total",     "dns_failures_total",
    "packets_dropped_total", "context_switches_total"};
constexpr std::array<const char*, 4> kCounts = {"tcp_open_connections", "listen_queue_length",
                                                "process_threads", "process_open_files"};
constexpr std::array<const char*, 4> kSlow = {"tcp_srtt_seconds", "process_cpu_ratio",
                                              "memory_used_ratio", "disk_busy_ratio"};

double SixDigits(double value) { return std::round(value * 1e6) / 1e6; }

}  // namespace

MetricTraffic::MetricTraffic(MetricTrafficOptions options)
    : options_(options),
      random_(Random::Mix(options.seed + 2)),
      now_ns_(options.start_ns),
      series_(options.hosts),
      states_(options.hosts) {
  const double log_least = std::log(options_.least_per_step);
  const double log_most = std::log(options_.most_per_step);
  for (uint32_t i = 0; i < options_.series; ++i) {
    const uint32_t host = i % options_.hosts;
    // Series of one workload are neighbours.
    const uint32_t workload = i / options_.hosts / 16;
    const uint32_t peer = i / options_.hosts % 16;
    const double kind = random_.Uniform();
    model::MetricSeries series;
    State state;
    if (kind < options_.count_gauges) {
      series.name = kCounts[i % kCounts.size()];
      state = {.shape = Shape::kCount, .value = std::floor(random_.LogNormal(20, 1))};
    } else if (kind < options_.count_gauges + options_.slow_gauges) {
      series.name = kSlow[i % kSlow.size()];
      state = {.shape = Shape::kSlow, .value = SixDigits(random_.Uniform())};
    } else {
      series.name = kCounters[i % kCounters.size()];
      if (!random_.Chance(options_.idle_share)) {
        const double mean = std::exp(log_least + random_.Uniform() * (log_most - log_least));
        state = {.shape = Shape::kCounter, .mean = mean};
      }
    }
    series.kind = state.shape == Shape::kCount || state.shape == Shape::kSlow
                      ? model::MetricKind::kGauge
                      : model::MetricKind::kDelta;
    series.labels = {
        {"host", absl::StrFormat("node-%03d", host)},
        {"peer", absl::StrFormat("10.9.%d.%d", peer, workload % 250)},
        {"workload", absl::StrFormat("service-%04d", workload * options_.hosts + host)}};
    series_[host].push_back(std::move(series));
    states_[host].push_back(state);
  }
}

double MetricTraffic::Step(State& state) {
  switch (state.shape) {
    case Shape::kIdle:
      return 0;
    case Shape::kCounter:
      return static_cast<double>(random_.Poisson(state.mean));
    case Shape::kCount:
      if (random_.Chance(options_.count_step_share)) {
        state.value = std::max(0.0, state.value + std::round(2 * random_.Normal()));
      }
      return state.value;
    case Shape::kSlow:
      if (random_.Chance(options_.slow_change_share)) {
        state.value = SixDigits(std::abs(state.value + 0.01 * random_.Normal()));
      }
      return state.value;
  }
  return 0;
}

std::vector<model::Batch> MetricTraffic::NextStep() {
  std::vector<model::Batch> out;
  for (uint32_t host = 0; host < options_.hosts; ++host) {
    if (series_[host].empty()) continue;
    model::Batch& batch = out.emplace_back();
    batch.id.agent_id = absl::StrFormat("node-%03d", host);
    batch.rule_version = 1;
    batch.first_ns = now_ns_;
    batch.last_ns = now_ns_ + options_.step_ns;
    batch.series = series_[host];
    batch.points.reserve(batch.series.size());
    for (uint32_t i = 0; i < batch.series.size(); ++i) {
      batch.points.push_back({.series = i, .time_ns = now_ns_, .value = Step(states_[host][i])});
    }
  }
  now_ns_ += options_.step_ns;
  return out;
}

}  // namespace kindling::load
