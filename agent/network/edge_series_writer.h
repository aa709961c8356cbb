#pragma once

#include <cstdint>
#include <initializer_list>
#include <string_view>

#include "model/edge_labels.h"
#include "model/latency_histogram.h"
#include "model/records.h"

namespace kindling::agent {

// Appends to a batch the series of one edge, each with its point of one window. `labels` are those
// of all of them; further ones of a series are put in their places.
class EdgeSeriesWriter {
 public:
  // `batch` must outlive it.
  EdgeSeriesWriter(model::Labels labels, int64_t time_ns, model::Batch& batch);

  struct Label {
    const char* name;
    std::string_view value;
  };
  using Further = std::initializer_list<Label>;
  // Nothing is written for 0, or for a histogram without observations.
  void Delta(const char* name, double value, Further further = {});
  void Delta(const char* name, uint64_t value, Further further = {});
  void Gauge(const char* name, double value);
  void Histogram(const char* name, const model::LatencyHistogram& histogram, Further further = {});

 private:
  model::MetricPoint& Point(const char* name, model::MetricKind kind, Further further);

  const model::Labels labels_;
  const int64_t time_ns_;
  model::Batch& batch_;
};

}  // namespace kindling::agent
