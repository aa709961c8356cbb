#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "agent/aggregate/window_source.h"
#include "agent/network/dns_lookups.h"
#include "agent/network/edge_series_writer.h"
#include "agent/protocols/dns/query_event.h"
#include "model/edge_labels.h"
#include "model/latency_histogram.h"
#include "model/protocol.h"
#include "model/records.h"

namespace kindling::agent {

// Sums DNS queries by edge, transport and name over the aggregator's windows, and gives them as
// metric series (model/dns_metrics.h).
//
// A query counts once, in the window in which it is over: it was answered, had waited
// dns::kQueryTimeoutNs, or its socket was closed. An answer that comes after that is a late one and
// no further query. Names are templates (protocols/dns/name_template.h).
//
// Threads: capture thread only.
// Limits:  max_edges edges; what is beyond goes to an edge whose ends are "(other)". Of an edge
//          max_names_of_edge names, and max_names of all; the others are summed as "(other)". A
//          name keeps its place until it was of no use for kForgottenAfter windows, so that one
//          client that asks for ever new names makes no more than that many series.
class DnsStats final : public WindowSource {
 public:
  struct Options {
    size_t max_edges = 5'000;
    size_t max_names_of_edge = 100;
    size_t max_names = 20'000;
    DnsLookups::Options lookups;
  };
  static constexpr uint64_t kForgottenAfter = 360;  // windows

  explicit DnsStats(const Options& options) : options_(options), lookups_(options.lookups) {}

  void OnQuery(const model::EdgeEnds& ends, model::Transport transport, const DnsAsker& asker,
               const dns::QueryEvent& event);

  void EmitWindow(int64_t start_ns, model::Batch& batch) override;

  size_t edges() const { return edges_.size(); }
  size_t names() const { return names_; }
  const DnsLookups& lookups() const { return lookups_; }

 private:
  // Of one name in one window.
  struct Row {
    uint64_t window = 0;                                              // when last used
    std::map<std::pair<std::string, std::string>, uint64_t> queries;  // by type and result
    model::LatencyHistogram latency;
    uint64_t retries = 0;
    uint64_t late_answers = 0;
    uint64_t truncated = 0;
    uint64_t tcp_fallbacks = 0;
    uint64_t search_waste = 0;
  };
  using Key = std::pair<model::EdgeEnds, model::Transport>;
  using Names = std::map<std::string, std::unique_ptr<Row>, std::less<>>;

  Row& RowOf(const Key& key, std::string_view name);
  static void Count(Row& row, const dns::QueryEvent& event, std::string result);
  static void Write(const std::string& name, const Row& row, EdgeSeriesWriter& out);

  const Options options_;
  DnsLookups lookups_;
  absl::flat_hash_map<Key, Names> edges_;
  size_t names_ = 0;  // of edges_, "(other)" left out
  uint64_t windows_ = 0;
};

}  // namespace kindling::agent
