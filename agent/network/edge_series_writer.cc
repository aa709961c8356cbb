#include "agent/network/edge_series_writer.h"

#include <utility>

namespace kindling::agent {

EdgeSeriesWriter::EdgeSeriesWriter(model::Labels labels, int64_t time_ns, model::Batch& batch)
    : labels_(std::move(labels)), time_ns_(time_ns), batch_(batch) {}

void EdgeSeriesWriter::Delta(const char* name, double value, Further further) {
  if (value != 0) Point(name, model::MetricKind::kDelta, further).value = value;
}

void EdgeSeriesWriter::Delta(const char* name, uint64_t value, Further further) {
  Delta(name, static_cast<double>(value), further);
}

void EdgeSeriesWriter::Gauge(const char* name, double value) {
  Point(name, model::MetricKind::kGauge, {}).value = value;
}

void EdgeSeriesWriter::Histogram(const char* name, const model::LatencyHistogram& histogram,
                                 Further further) {
  if (histogram.count() == 0) return;
  Point(name, model::MetricKind::kHistogram, further).histogram = histogram;
}

model::MetricPoint& EdgeSeriesWriter::Point(const char* name, model::MetricKind kind,
                                            Further further) {
  model::MetricSeries& series = batch_.series.emplace_back();
  series.name = name;
  series.kind = kind;
  series.labels = labels_;
  for (const Label& label : further) model::AddLabel(label.name, label.value, series.labels);
  model::MetricPoint& point = batch_.points.emplace_back();
  point.series = static_cast<uint32_t>(batch_.series.size() - 1);
  point.time_ns = time_ns_;
  return point;
}

}  // namespace kindling::agent
