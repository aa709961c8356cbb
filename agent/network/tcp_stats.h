#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "absl/container/flat_hash_map.h"
#include "agent/aggregate/window_source.h"
#include "agent/capture/events.h"
#include "agent/network/edge_series_writer.h"
#include "model/edge_labels.h"
#include "model/latency_histogram.h"
#include "model/records.h"

namespace kindling::agent {

// Sums what TCP tells of connections and listeners by edge, over the aggregator's windows, and
// gives it as metric series (model/tcp_metrics.h).
//
// What the kernel counts for the life of a connection is given to the window in which a sample, or
// the connection's end, told of it.
//
// Threads: capture thread only.
// Limits:  max_edges rows a window; what is beyond goes to rows whose ends are "(other)". What
//          connections and listeners had counted before is kept of those that were sampled, at
//          most max_sampled; the others count at their end.
class TcpStats final : public WindowSource {
 public:
  struct Options {
    size_t max_edges = 5'000;
    size_t max_sampled = 100'000;
  };
  explicit TcpStats(const Options& options) : options_(options) {}

  // `error` is the errno, 0 for a connection that opened; `duration_ns` 0: not known.
  void OnConnect(const model::EdgeEnds& ends, int error, int64_t duration_ns);
  void OnConnectFailure(const model::EdgeEnds& ends, const ConnectFailure& failure);
  // `since_start`: the connection began under the agent's eyes, so that all it has counted is news.
  // `accepted` of these: by a listener.
  struct Origin {
    bool since_start = false;
    bool accepted = false;
  };
  void OnSample(const model::EdgeEnds& ends, const Origin& origin, const TcpSample& sample);
  void OnListener(const model::EdgeEnds& ends, const ListenerSample& sample);
  // No more will be told of a connection.
  void Forget(ConnId id) { sampled_.erase(id); }

  void EmitWindow(int64_t start_ns, model::Batch& batch) override;

  size_t rows() const { return rows_.size(); }
  size_t sampled() const { return sampled_.size(); }
  size_t listeners() const { return listeners_.size(); }

 private:
  enum Retransmit { kTimeout, kFast, kSyn, kSynAck, kOtherCause, kRetransmitKinds };
  struct Attempts {
    uint64_t count = 0;
    model::LatencyHistogram time;
  };
  // Of one edge in one window.
  struct Row {
    std::map<std::string, Attempts, std::less<>> attempts;  // by result
    std::map<std::string, uint64_t, std::less<>> ends;      // by reason
    std::map<std::string, uint64_t, std::less<>> resets_sent;
    std::array<uint64_t, kRetransmitKinds> retransmits{};
    std::array<uint64_t, 5> congestion{};  // by state
    uint64_t accepts = 0;
    uint64_t resets_received = 0;
    uint64_t lost_segments = 0;
    uint64_t out_of_order = 0;
    uint64_t sent_segments = 0;
    uint64_t received_segments = 0;
    uint64_t sent_bytes = 0;
    uint64_t received_bytes = 0;
    uint64_t zero_windows = 0;
    int64_t busy_ns = 0;
    int64_t receiver_limited_ns = 0;
    int64_t sender_limited_ns = 0;
    model::LatencyHistogram srtt;
    int64_t min_rtt_ns = 0;  // 0: none
    uint64_t listen_drops = 0;
    bool listens = false;
    uint32_t queued = 0;
    uint32_t queue_max = 0;
  };

  Row& RowOf(const model::EdgeEnds& ends);
  static void Write(const Row& row, EdgeSeriesWriter& out);

  const Options options_;
  absl::flat_hash_map<model::EdgeEnds, std::unique_ptr<Row>> rows_;
  // The greatest that was seen of each counter; strings are left out.
  absl::flat_hash_map<ConnId, TcpSample> sampled_;
  struct Listener {
    uint32_t drops = 0;
    uint32_t synack_retransmits = 0;
    uint32_t resets_sent = 0;
    uint64_t window = 0;  // when last
  };
  static constexpr uint64_t kForgottenAfter = 30;  // windows
  absl::flat_hash_map<ConnId, Listener> listeners_;
  uint64_t windows_ = 0;
};

}  // namespace kindling::agent
