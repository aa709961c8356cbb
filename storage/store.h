#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "model/records.h"
#include "storage/blocks/metric_block.h"
#include "storage/flow_run.h"
#include "storage/span_search.h"
#include "storage/store_admin.h"

namespace kindling::storage {

// What a scan should visit. Times select records by their own time (Span::start_ns,
// EdgeStats::window_start_ns, ProcessEvent::time_ns, Loss::time_ns): start <= time < end.
// AddressBinding rows are given whenever they may matter to the range: first_ns < end.
struct ScanPlan {
  std::string tenant;
  std::string cluster;
  int64_t start_ns = 0;
  int64_t end_ns = INT64_MAX;
  // EdgeStats and metric points may be given in windows this long or shorter, where such windows
  // lie wholly within the range: the store then reads its roll-ups. 0: as they were sent.
  int64_t step_ns = 0;
  bool spans = false;
  bool edges = false;
  bool processes = false;
  bool addresses = false;
  bool losses = false;
  bool metrics = false;  // series and points
  Cancelled cancelled;
};

// What a scan could not read.
struct ScanReport {
  uint64_t damaged_blocks = 0;
  uint64_t damaged_rows = 0;       // in these; of a whole file it is not known
  std::vector<std::string> notes;  // one sentence per damaged block, at most 10
};

// Durable records of one controller. The seam behind which another engine can stand.
//
// Failure: UNAVAILABLE the files cannot be read at present; DEADLINE_EXCEEDED a question was
//          cancelled.
// Threads: safe from any.
class Store {
 public:
  virtual ~Store() = default;

  // Makes all `batches` durable with one synced write, each exactly once: a batch whose sequence is
  // not greater than the last durable one of its agent and epoch is skipped. On return every batch
  // is durable and readable. Nothing of the call is stored when it fails. Errors:
  // RESOURCE_EXHAUSTED disk full, or nothing has been sealed for a while and there is no room for
  // more; INVALID_ARGUMENT a name or address is too long.
  using BatchPtr = std::shared_ptr<const model::Batch>;
  virtual absl::Status Append(const std::vector<BatchPtr>& batches) = 0;
  absl::Status Append(std::vector<model::Batch> batches) {
    std::vector<BatchPtr> shared;
    for (model::Batch& batch : batches) {
      shared.push_back(std::make_shared<const model::Batch>(std::move(batch)));
    }
    return Append(shared);
  }

  // Last durable sequence per epoch of an agent; empty when it is not known.
  struct Durable {
    uint64_t boot_epoch = 0;
    uint64_t sequence = 0;
  };
  virtual absl::StatusOr<std::vector<Durable>> DurableSequences(std::string_view agent_id) = 0;

  // Gives the selected records of `plan` to `visit` in blocks, in no particular order; each block
  // holds only the selected classes. `visit` returns false to stop.
  virtual absl::StatusOr<ScanReport> Scan(
      const ScanPlan& plan, const std::function<bool(const model::Batch&)>& visit) = 0;

  // Who called whom: the sums of EdgeStats by minute, or by hour if `step_ns` is as long, without
  // what was asked; where the range does not begin or end with a minute, and of what came last, by
  // the windows that were sent. One call per run of windows of one flow; a flow may come in
  // several.
  struct FlowQuery {
    std::string tenant;
    std::string cluster;
    int64_t start_ns = 0;
    int64_t end_ns = INT64_MAX;
    int64_t step_ns = 0;  // as ScanPlan's
    Cancelled cancelled;
  };
  virtual absl::StatusOr<ScanReport> QueryFlows(
      const FlowQuery& query, const std::function<bool(const FlowRun&)>& visit) = 0;

  // A number that grows when edges, losses or address bindings of this time come or go, and perhaps
  // also if not: what was made of them holds until then.
  virtual uint64_t ChangesIn(int64_t start_ns, int64_t end_ns) const = 0;

  // Gives the spans that meet `search` to `visit`, best rank first within a block and roughly so
  // between blocks, until the ranks that are left are of no use to the visitor.
  virtual absl::StatusOr<ScanReport> SearchSpans(const SpanSearch& search,
                                                 const SpanVisitor& visit) = 0;

  // Spans by id, of whole traces, of traces that another tracer named, and children by parent. Ids
  // that are not there are left out.
  struct SpanIds {
    std::string tenant;
    std::string cluster;
    std::vector<model::SpanId> spans;
    std::vector<model::TraceId> traces;
    std::vector<model::TraceId> aliases;
    // Of the spans that began in children_start_ns <= time < children_end_ns.
    std::vector<model::SpanId> parents;
    int64_t children_start_ns = INT64_MIN;
    int64_t children_end_ns = INT64_MAX;
    // No more blocks are read once so many spans have been found.
    size_t limit = SIZE_MAX;
    Cancelled cancelled;
  };
  absl::StatusOr<ScanReport> FindSpans(const SpanIds& ids, std::vector<model::Span>* spans) {
    return NewSpanFinder()->Find(ids, spans);
  }

  // Answers such questions one after another, as they lead to one another: all of one moment, and
  // what was read for one serves the next.
  //
  // Threads:  the one that made it, which asks the store nothing else while this lives.
  // Lifetime: the store must outlive it.
  class SpanFinder {
   public:
    virtual ~SpanFinder() = default;
    virtual absl::StatusOr<ScanReport> Find(const SpanIds& ids,
                                            std::vector<model::Span>* spans) = 0;
  };
  virtual std::unique_ptr<SpanFinder> NewSpanFinder() = 0;

  // Points of the wanted series in windows of about `step_ns`, one call per run of windows of one
  // series; a series may come in several, whose windows of equal time are to be merged.
  struct SeriesQuery {
    std::string tenant;
    std::string cluster;
    int64_t start_ns = 0;
    int64_t end_ns = INT64_MAX;
    int64_t step_ns = 0;                                      // as ScanPlan's
    std::string name;                                         // empty: any
    std::vector<std::pair<std::string, std::string>> labels;  // all of them
    WantSeries want;  // what more is asked of a series; null: nothing
    Cancelled cancelled;
  };
  virtual absl::StatusOr<ScanReport> QuerySeries(
      const SeriesQuery& query, const std::function<bool(const MetricRun&)>& visit) = 0;

  // Chunks that overlap a stretch of time, or of one span.
  struct ChunkQuery {
    std::string tenant;
    std::string cluster;
    int64_t start_ns = 0;
    int64_t end_ns = INT64_MAX;
    model::SpanId span_id = 0;  // 0: of any and of none
    Cancelled cancelled;
  };
  virtual absl::StatusOr<ScanReport> QueryChunks(
      const ChunkQuery& query, const std::function<bool(const model::Chunk&)>& visit) = 0;
  // NOT_FOUND when it is not kept (any more).
  virtual absl::StatusOr<std::string> GetContent(std::string_view tenant, std::string_view cluster,
                                                 const model::ContentHash& hash) = 0;

  // Drops what is older or larger than the limits; called about once a minute with the time of day.
  virtual absl::Status Retain(int64_t now_ns) = 0;

  // Random identity made when the store was created; a restored or new store has another.
  virtual const std::string& id() const = 0;
  virtual uint64_t ApproximateBytes() const = 0;
  // Time of the oldest record kept; 0 when empty.
  virtual int64_t OldestNs() const = 0;
  virtual StoreAdmin& admin() = 0;
};

}  // namespace kindling::storage
