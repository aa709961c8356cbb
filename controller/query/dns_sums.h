#pragma once

#include <functional>
#include <map>
#include <string>

#include "model/latency_histogram.h"
#include "model/records.h"
#include "storage/blocks/metric_block.h"

namespace kindling::v1 {
class DnsEdge;
}

namespace kindling::controller {

// What the series of model/dns_metrics.h say of one edge and observer, summed over windows.
struct DnsSums {
  using Counts = std::map<std::string, double, std::less<>>;

  double queries = 0;
  Counts results;  // of queries, as types
  Counts types;
  double retries = 0;
  double late_answers = 0;
  double truncated = 0;
  double tcp_fallbacks = 0;
  double search_waste = 0;
  model::LatencyHistogram latency;

  // Adds one window of a series; one of another name is passed over.
  void Add(const model::MetricSeries& series, const storage::MetricWindow& window);
  void Merge(const DnsSums& other);
  // Everything but who, where and which name.
  void WriteTo(v1::DnsEdge* out) const;
};

}  // namespace kindling::controller
