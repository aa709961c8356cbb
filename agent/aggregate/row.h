#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/hash/hash.h"
#include "agent/aggregate/edge.h"
#include "model/latency_histogram.h"
#include "model/records.h"

namespace kindling::agent {

// What tells the rows of a window apart; does not own its texts.
struct RowKey {
  const InternedEdge* edge = nullptr;
  model::Outcome outcome = model::Outcome::kUnset;
  std::string_view endpoint;
  std::string_view status_code;
  bool operator==(const RowKey&) const = default;
};

// A fair sample of the requests of one kind: every one of `seen` is as likely to be in `kept`.
struct SpanSample {
  uint64_t seen = 0;
  std::vector<uint32_t> kept;  // indices of the window's spans

  void Clear() {
    seen = 0;
    kept.clear();
  }
};

// Sums of one row in the open window. Rows that were used in a window are kept for the next one.
struct Row {
  explicit Row(const RowKey& key)
      : edge(key.edge),
        outcome(key.outcome),
        endpoint(key.endpoint),
        status_code(key.status_code) {}
  RowKey key() const { return {edge, outcome, endpoint, status_code}; }

  const InternedEdge* const edge;
  const model::Outcome outcome;
  const std::string endpoint;
  const std::string status_code;

  uint64_t count = 0;
  uint64_t slow_count = 0;
  uint64_t sent_bytes = 0;
  uint64_t received_bytes = 0;
  uint64_t connections = 0;
  uint64_t connect_failures = 0;
  uint64_t connect_count = 0;
  uint64_t connect_sum_ns = 0;
  uint64_t lost = 0;
  bool used = false;
  model::LatencyHistogram latency;
  SpanSample ordinary;
  SpanSample notable;  // slow or failed

  void AddConnectTime(int64_t duration_ns) {
    if (duration_ns <= 0) return;  // not known
    ++connect_count;
    connect_sum_ns += static_cast<uint64_t>(duration_ns);
  }

  // Adds nothing: `stats` must be fresh. The row is empty and unused afterwards.
  void MoveSumsTo(model::EdgeStats& stats) {
    stats.count = std::exchange(count, 0);
    stats.slow_count = std::exchange(slow_count, 0);
    stats.sent_bytes = std::exchange(sent_bytes, 0);
    stats.received_bytes = std::exchange(received_bytes, 0);
    stats.connections = std::exchange(connections, 0);
    stats.connect_failures = std::exchange(connect_failures, 0);
    stats.connect_count = std::exchange(connect_count, 0);
    stats.connect_sum_ns = std::exchange(connect_sum_ns, 0);
    stats.lost = std::exchange(lost, 0);
    stats.latency = std::exchange(latency, {});
    used = false;
    ordinary.Clear();
    notable.Clear();
  }
};

// For a table of rows that is searched by key.
struct RowHash {
  using is_transparent = void;
  size_t operator()(const RowKey& key) const {
    return absl::HashOf(key.edge, key.outcome,
                        absl::string_view(key.endpoint.data(), key.endpoint.size()),
                        absl::string_view(key.status_code.data(), key.status_code.size()));
  }
  size_t operator()(const std::unique_ptr<Row>& row) const { return (*this)(row->key()); }
};
struct RowEqual {
  using is_transparent = void;
  bool operator()(const std::unique_ptr<Row>& a, const std::unique_ptr<Row>& b) const {
    return a->key() == b->key();
  }
  bool operator()(const std::unique_ptr<Row>& a, const RowKey& b) const { return a->key() == b; }
};
using RowSet = absl::flat_hash_set<std::unique_ptr<Row>, RowHash, RowEqual>;

}  // namespace kindling::agent
