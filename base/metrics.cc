#include "base/metrics.h"

#include <algorithm>
#include <utility>

#include "glog/logging.h"

namespace kindling::base {

Histogram::Histogram(std::vector<double> bounds)
    : bounds_(std::move(bounds)), counts_(bounds_.size() + 1) {
  CHECK(std::is_sorted(bounds_.begin(), bounds_.end()));
}

void Histogram::Observe(double value) {
  const auto bucket = std::lower_bound(bounds_.begin(), bounds_.end(), value) - bounds_.begin();
  absl::MutexLock lock(&mu_);
  ++counts_[static_cast<size_t>(bucket)];
  sum_ += value;
}

void Histogram::WriteTo(std::string_view labels, MetricsText& text) const {
  absl::MutexLock lock(&mu_);
  std::vector<uint64_t> cumulative;
  uint64_t total = 0;
  for (const uint64_t count : counts_) cumulative.push_back(total += count);
  text.Histogram(labels, bounds_, cumulative, total, sum_);
}

void Metrics::Add(std::string_view name, MetricType type, std::string_view help,
                  const MetricLabels& labels,
                  std::function<void(std::string_view, MetricsText&)> write) {
  absl::MutexLock lock(&mu_);
  const auto [family, added] = families_.try_emplace(std::string(name));
  if (added) {
    family->second.type = type;
    family->second.help = help;
  }
  CHECK(family->second.type == type) << name << " has two types";
  family->second.series.push_back({RenderLabels(labels), std::move(write)});
}

Counter& Metrics::AddCounter(std::string_view name, std::string_view help,
                             const MetricLabels& labels) {
  const auto counter = std::make_shared<Counter>();
  Add(name, MetricType::kCounter, help, labels,
      [counter](std::string_view l, MetricsText& text) { text.Sample(l, counter->value()); });
  return *counter;
}

Gauge& Metrics::AddGauge(std::string_view name, std::string_view help, const MetricLabels& labels) {
  const auto gauge = std::make_shared<Gauge>();
  Add(name, MetricType::kGauge, help, labels,
      [gauge](std::string_view l, MetricsText& text) { text.Sample(l, gauge->value()); });
  return *gauge;
}

Histogram& Metrics::AddHistogram(std::string_view name, std::string_view help,
                                 std::vector<double> bounds, const MetricLabels& labels) {
  const auto histogram = std::make_shared<Histogram>(std::move(bounds));
  Add(name, MetricType::kHistogram, help, labels,
      [histogram](std::string_view l, MetricsText& text) { histogram->WriteTo(l, text); });
  return *histogram;
}

void Metrics::AddFunction(std::string_view name, MetricType type, std::string_view help,
                          std::function<double()> value, const MetricLabels& labels) {
  Add(name, type, help, labels, [value = std::move(value)](std::string_view l, MetricsText& text) {
    text.Sample(l, value());
  });
}

void Metrics::AddWriter(std::function<void(MetricsText&)> writer) {
  absl::MutexLock lock(&mu_);
  writers_.push_back(std::move(writer));
}

std::string Metrics::Text() const {
  MetricsText text;
  absl::MutexLock lock(&mu_);
  for (const auto& [name, family] : families_) {
    text.Family(name, family.type, family.help);
    for (const Series& series : family.series) series.write(series.labels, text);
  }
  for (const auto& writer : writers_) writer(text);
  return text.Take();
}

}  // namespace kindling::base
