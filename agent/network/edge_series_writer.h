#pragma once

#include <cstdint>
#include <string_view>

#include "model/edge_labels.h"
#include "model/latency_histogram.h"
#include "model/records.h"

namespace kindling::agent {

// Appends to a batch the series of one edge, each with its point of one window. `labels` are those
// of all of them; a further one of each is put in its place.
class EdgeSeriesWriter {
 public:
  // `batch` must outlive it.
  EdgeSeriesWriter(model::Labels labels, int64_t time_ns, model::Batch& batch);

  struct Label {
    const char* name;  // null: none
    std::string_view value;
  };
  // Nothing is written for 0, or for a histogram without observations.
  void Delta(const char* name, double value, Label label = {}, Label another = {});
  void Delta(const char* name, uint64_t value, Label label = {}, Label another = {});
  void Gauge(const char* name, double value);
  void Histogram(const char* name, const model::LatencyHistogram& histogram, Label label = {});

 private:
  model::MetricPoint& Point(const char* name, model::MetricKind kind, Label label, Label another);

  const model::Labels labels_;
  const int64_t time_ns_;
  model::Batch& batch_;
};

}  // namespace kindling::agent
