#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "model/edge_labels.h"
#include "model/latency_histogram.h"
#include "model/records.h"
#include "storage/blocks/metric_block.h"

namespace kindling::v1 {
class TcpEdge;
}

namespace kindling::controller {

// What the series of model/tcp_metrics.h say of one edge and observer, summed over windows.
struct TcpSums {
  using Counts = std::map<std::string, double, std::less<>>;

  Counts connects;  // by result
  Counts ends;      // by reason
  Counts retransmits;
  Counts resets_sent;
  Counts congestion;
  double accepts = 0;
  double resets_received = 0;
  double lost_segments = 0;
  double out_of_order = 0;
  double sent_segments = 0;
  double received_segments = 0;
  double sent_bytes = 0;  // the observer's, as received_bytes
  double received_bytes = 0;
  double busy_seconds = 0;
  double receiver_limited_seconds = 0;
  double sender_limited_seconds = 0;
  double zero_windows = 0;
  double listen_drops = 0;
  double accept_queue = 0;  // with its limit, of the longest
  double accept_queue_max = 0;
  double min_rtt_seconds = 0;            // 0: none
  model::LatencyHistogram connect_time;  // of those that opened
  model::LatencyHistogram srtt;

  // Adds one window of a series; one of another name is passed over.
  void Add(const model::MetricSeries& series, const storage::MetricWindow& window);
  void Merge(const TcpSums& other);

  // Connections that this tells of: those that opened or failed to, or where it was accepted; those
  // of before by their end.
  double connections() const;
  // Everything but who and where.
  void WriteTo(model::Side observer, v1::TcpEdge* out) const;
};

}  // namespace kindling::controller
