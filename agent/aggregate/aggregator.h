#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/aggregate/batch_sink.h"
#include "agent/aggregate/boot_to_wall.h"
#include "agent/aggregate/edge_table.h"
#include "agent/aggregate/row.h"
#include "agent/aggregate/slow_thresholds.h"
#include "agent/aggregate/span_ids.h"
#include "agent/aggregate/window_source.h"
#include "agent/protocols/record.h"
#include "base/thread_checker.h"
#include "model/records.h"

namespace kindling::agent {

struct AggregatorOptions {
  std::string host;
  int64_t window_ns = 10'000'000'000;
  SlowThresholds slow;
  // Every request becomes a span; such spans leave in batches of max_spans as they come.
  bool keep_all_spans = false;
  // Otherwise per edge, endpoint, outcome and status in a window: a fair sample of the ordinary
  // requests, and of the slow or failed ones a fair sample this large, which is usually all.
  uint32_t sampled_spans = 2;
  uint32_t notable_spans = 100;

  EdgeTable::Limits names;
  size_t max_rows = 50'000;
  size_t max_spans = 8'192;           // held at once
  size_t max_processes = 10'000;      // per window, as addresses
  size_t max_attribute_bytes = 4096;  // one attribute of a span; longer ones are cut
  uint32_t rule_version = 1;
  uint64_t span_id_seed = 0;
};

// What the aggregator has done since it was made. Threads: readable from any.
struct AggregatorCounters {
  std::atomic<uint64_t> requests{0};
  std::atomic<uint64_t> late_requests{0};       // ended before the window they were counted in
  std::atomic<uint64_t> lost_requests{0};       // not counted in any row for want of room
  std::atomic<uint64_t> folded_requests{0};     // counted under "(other)"
  std::atomic<uint64_t> spans{0};               // handed over
  std::atomic<uint64_t> spans_without_room{0};  // chosen, but max_spans were held already
  std::atomic<uint64_t> windows{0};
  std::atomic<uint64_t> rows{0};   // of the last window
  std::atomic<uint64_t> edges{0};  // known now
};

// Sums finished requests by edge, endpoint, outcome and status over windows aligned to wall time,
// picks the spans to keep and hands one model::Batch per window to the sink.
//
// A request counts in the window that is open when it is given; one that ended before that window
// began is counted as late, and counted there all the same.
//
// Threads: capture thread only, but for counters().
// Limits:  those of AggregatorOptions. Rows beyond max_rows fold into "(other)"; only when a tenth
//          more is used up too is a request lost, and counted under LossStage::kCap.
class Aggregator {
 public:
  // `sink` must outlive the aggregator.
  Aggregator(AggregatorOptions options, BatchSink* sink);

  // The edge's handle for EdgeContext. Call it once per connection, and again when its protocol or
  // a name becomes known.
  std::shared_ptr<const InternedEdge> Intern(const Edge& edge) { return edges_.Intern(edge); }

  // All of these need OnTick() to have been called once, for the clocks.
  void OnRequest(const EdgeContext& context, const Record& record);
  // Whether a record may stand for a run of requests: not where each becomes a span.
  bool takes_runs() const { return !options_.keep_all_spans; }
  void OnConnection(const EdgeContext& context);
  // `error` is the errno; `duration_ns` how long the attempt took.
  void OnConnectFailure(const EdgeContext& context, int error, int64_t duration_ns);
  // Bytes of a connection whose protocol is not parsed. `duration_ns` > 0 once, when it closes:
  // the row's latency then tells how long such connections lived.
  void OnBytes(const EdgeContext& context, uint64_t sent, uint64_t received, int64_t duration_ns);
  // Requests of this edge known or estimated to be lost.
  void OnLost(const EdgeContext& context, uint64_t requests);
  // Losses that no edge can be named for. Only stage, workload and the counts are read.
  void OnLoss(const model::Loss& loss);
  // `host` is filled in, and the times are already wall time.
  void OnProcess(model::ProcessEvent event);
  void OnAddress(model::AddressBinding binding);

  // `source` adds to every window from now on, until it is removed; it must not outlive that.
  void AddWindowSource(WindowSource* source) { sources_.push_back(source); }
  void RemoveWindowSource(WindowSource* source) { std::erase(sources_, source); }

  // Turns the choice of spans off, or on again; rows go on.
  void KeepSpans(bool keep) { keep_spans_ = keep; }

  // Both clocks at one instant. Closes the window when it has passed.
  void OnTick(int64_t boot_ns, int64_t wall_ns);
  // Closes the open window early, as at shutdown.
  void Flush();

  const BootToWall& clock() const { return clock_; }
  const AggregatorCounters& counters() const { return counters_; }

 private:
  struct Tally {
    uint64_t requests = 0;
    uint64_t late_requests = 0;
    uint64_t lost_requests = 0;
    uint64_t folded_requests = 0;
    uint64_t spans = 0;
    uint64_t spans_without_room = 0;
    uint64_t windows = 0;
  };

  Row* FindOrAddRow(const RowKey& wanted, uint64_t requests);
  Row* FindRow(const RowKey& key);
  // Where the row of `key` is remembered for the next request of its kind.
  Row*& Recent(const RowKey& key);
  Row* AddRow(const RowKey& key, size_t limit);
  Row* EdgeRow(const EdgeContext& context, uint64_t requests);
  void OfferSpan(const EdgeContext& context, const Record& record, bool slow, Row& row);
  model::Span MakeSpan(const EdgeContext& context, const Record& record, bool slow, const Row& row);
  void OpenWindow(int64_t wall_ns);
  void CloseWindow();
  void EmitRows(model::Batch& batch);
  void WeighSpans();
  void EmitSpansNow();
  void HandOver(model::Batch batch);
  void PublishCounters();
  // Fair enough for sampling: 0 <= result < below.
  uint64_t Random(uint64_t below);

  const AggregatorOptions options_;
  BatchSink* const sink_;
  std::vector<WindowSource*> sources_;
  base::ThreadChecker thread_;
  EdgeTable edges_;
  BootToWall clock_;
  SpanIds span_ids_;

  int64_t window_start_ns_ = 0;  // 0: no tick yet
  int64_t window_start_boot_ns_ = 0;
  RowSet rows_;
  std::array<Row*, 64> recent_{};  // of rows_, used in this window; null: none
  std::vector<model::Span> spans_;
  std::vector<model::ProcessEvent> processes_;
  std::vector<model::AddressBinding> addresses_;
  std::map<std::pair<model::LossStage, std::string>, model::Loss> losses_;
  uint64_t random_state_;
  bool keep_spans_ = true;
  Tally tally_;
  AggregatorCounters counters_;
};

}  // namespace kindling::agent
