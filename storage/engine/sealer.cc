#include "storage/engine/sealer.h"

#include <algorithm>
#include <deque>
#include <iterator>
#include <memory>
#include <set>
#include <type_traits>

#include "storage/align.h"
#include "storage/blocks/edge_block.h"
#include "storage/blocks/row_block.h"
#include "storage/blocks/span_block.h"
#include "storage/columns.h"
#include "storage/engine/block_header.h"
#include "storage/engine/chunk_values.h"
#include "storage/engine/metric_runs.h"
#include "storage/rollup.h"

namespace kindling::storage {
namespace {

constexpr int64_t kMinuteNs = 60'000'000'000;
constexpr int64_t kHourNs = 60 * kMinuteNs;

int64_t TimeOf(const model::Span& row) { return row.start_ns; }
int64_t TimeOf(const model::EdgeStats& row) { return row.window_start_ns; }
int64_t TimeOf(const model::ProcessEvent& row) { return row.time_ns; }
int64_t TimeOf(const model::Loss& row) { return row.time_ns; }
int64_t TimeOf(const model::Chunk& row) { return row.first_ns; }
int64_t TimeOf(const model::Content& row) { return row.time_ns; }

// Rows by the start of their buckets.
template <typename Row>
using Buckets = std::map<int64_t, std::vector<Row>>;

struct SpaceRows {
  Buckets<const model::Span*> spans;       // in the batches
  Buckets<const model::EdgeStats*> edges;  // likewise
  Buckets<MetricRun> metrics;
  Buckets<model::ProcessEvent> processes;
  Buckets<model::Loss> losses;
  Buckets<model::Chunk> chunks;
  Buckets<model::Content> contents;
};

class Partition {
 public:
  Partition(const View& view, const SealOptions& options, uint64_t& refused)
      : view_(view), options_(options), refused_(refused) {}

  void Add(const model::Batch& batch) {
    SpaceRows& rows = spaces_[{batch.tenant, batch.cluster}];
    AddRows(Tier::kSpans, batch.spans, rows.spans);
    AddRows(Tier::kSeries10s, batch.edges, rows.edges);
    AddRows(Tier::kEvents, batch.processes, rows.processes);
    AddRows(Tier::kEvents, batch.losses, rows.losses);
    AddRows(Tier::kSpans, batch.chunks, rows.chunks);
    AddRows(Tier::kSpans, batch.contents, rows.contents);
    AddPoints(batch, rows.metrics);
  }
  std::map<Space, SpaceRows>& spaces() { return spaces_; }

 private:
  // The start of the bucket, nothing when there is none for this time.
  std::optional<int64_t> BucketOf(Tier tier, int64_t time_ns) {
    if (!view_.Keeps(tier, time_ns)) {
      ++refused_;
      return std::nullopt;
    }
    return AlignDown(time_ns, options_.bucket_ns[static_cast<size_t>(tier)]);
  }

  // Copies the rows, or points to them.
  template <typename Row, typename Kept>
  void AddRows(Tier tier, const std::vector<Row>& rows, Buckets<Kept>& out) {
    // Neighbours are nearly always of the same bucket.
    std::optional<int64_t> bucket;
    std::vector<Kept>* to = nullptr;
    for (const Row& row : rows) {
      const std::optional<int64_t> now = BucketOf(tier, TimeOf(row));
      if (!now) continue;
      if (to == nullptr || now != bucket) {
        to = &out[*now];
        bucket = now;
      }
      if constexpr (std::is_pointer_v<Kept>) {
        to->push_back(&row);
      } else {
        to->push_back(row);
      }
    }
  }

  void AddPoints(const model::Batch& batch, Buckets<MetricRun>& out) {
    std::vector<MetricRun> runs = RunsOf(batch, [&](uint32_t, int64_t time_ns) {
      return BucketOf(Tier::kSeries10s, time_ns).has_value();
    });
    const auto tier = static_cast<size_t>(Tier::kSeries10s);
    for (auto& [bucket, part] : ByBucket(std::move(runs), options_.bucket_ns[tier])) {
      std::vector<MetricRun>& all = out[bucket];
      std::move(part.begin(), part.end(), std::back_inserter(all));
    }
  }

  const View& view_;
  const SealOptions& options_;
  uint64_t& refused_;
  std::map<Space, SpaceRows> spaces_;
};

// Rows of a coarser tier, by the start of their buckets there.
Buckets<EdgeRow> Regroup(const std::vector<EdgeRow>& rows, int64_t bucket_ns) {
  Buckets<EdgeRow> out;
  std::vector<EdgeRow>* to = nullptr;
  int64_t bucket = 0;
  for (const EdgeRow& row : rows) {
    const int64_t now = AlignDown(row.start_ns, bucket_ns);
    if (to == nullptr || now != bucket) to = &out[bucket = now];
    to->push_back(row);
  }
  return out;
}

// The rows of one bucket, their series named and limited.
class SealedEdges {
 public:
  SealedEdges(const std::vector<const model::EdgeStats*>& rows, const Space& space,
              int64_t bucket_ns, SeriesGate& gate) {
    rows_.reserve(rows.size());
    std::vector<uint64_t> counts;
    for (const model::EdgeStats* row : rows) {
      const uint32_t number = series_.Add(*row);
      if (number == counts.size()) counts.push_back(0);
      ++counts[number];
      rows_.push_back({.series = number,
                       .start_ns = row->window_start_ns,
                       .window_ns = row->window_ns,
                       .numbers = row});
    }
    std::vector<SeriesLimiter::Fold> folds;
    if (gate.Folds(space, bucket_ns, series_, counts, folds)) Fold(folds);
    series_.Sort();
    for (EdgeRow& row : rows_) row.series = series_.Place(row.series);
    JoinEdgeRows(rows_, series_.size(), sums_);
  }

  const EdgeSeries& series() const { return series_; }
  const std::vector<EdgeRow>& rows() const { return rows_; }
  std::vector<EdgeRow> RollUp(const std::vector<EdgeRow>& rows, int64_t step_ns) {
    return RollUpEdges(rows, series_.size(), step_ns, sums_);
  }

 private:
  void Fold(const std::vector<SeriesLimiter::Fold>& folds) {
    std::vector<uint32_t> now(folds.size());
    for (uint32_t i = 0; i < folds.size(); ++i) {
      now[i] = i;
      if (folds[i] == SeriesLimiter::Fold::kNone) continue;
      model::EdgeStats& name = folded_.emplace_back(series_.row(i));
      SeriesLimiter::Apply(folds[i], name);
      now[i] = series_.Add(name);
    }
    for (EdgeRow& row : rows_) row.series = now[row.series];
  }

  std::deque<model::EdgeStats> folded_;
  EdgeSeries series_;
  EdgeSums sums_;
  std::vector<EdgeRow> rows_;
};

}  // namespace

uint64_t AliasHash(const model::TraceId& alias) {
  // Ids are random, or 64 bits wide: mixing keeps either well spread. splitmix64's finalizer.
  uint64_t x = alias.high * 0x9e3779b97f4a7c15 + alias.low;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

uint64_t BlockWriter::Add(const Space& space, BlockClass block_class, SealedBlock sealed,
                          BucketWrite& out) {
  auto block = std::make_shared<Block>();
  block->key = {.space = space, .block_class = block_class, .number = next_number_++};
  block->first_ns = sealed.first_ns;
  block->last_ns = sealed.last_ns;
  block->rows = sealed.rows;
  block->has_filter = !sealed.filter.empty();
  if (block_class == BlockClass::kSpans) {
    absl::StatusOr<SpanSummary> summary = SpanSummary::Parse(sealed.summary);
    if (summary.ok()) block->spans = *std::move(summary);
  }
  std::string summary = EncodeSummary(sealed);
  block->bytes = summary.size() + sealed.filter.size() + sealed.body.size();
  out.values.push_back({block->KeyOf(BlockPart::kSummary), std::move(summary)});
  if (block->has_filter) {
    out.values.push_back({block->KeyOf(BlockPart::kFilter), std::move(sealed.filter)});
  }
  out.values.push_back({block->KeyOf(BlockPart::kBody), std::move(sealed.body)});
  const uint64_t number = block->key.number;
  out.blocks.push_back(std::move(block));
  return number;
}

void BlockWriter::AddSpanBlock(const Space& space, const std::vector<const model::Span*>& rows,
                               BucketWrite& out) {
  std::set<uint64_t> aliases;
  for (const model::Span* span : rows) {
    if (span->alias_trace_id != model::TraceId{}) aliases.insert(AliasHash(span->alias_trace_id));
  }
  const uint64_t number = Add(space, BlockClass::kSpans, EncodeSpanBlock(rows, dictionaries_), out);
  for (const uint64_t hash : aliases) {
    out.values.push_back({AliasKey{space, hash, number}.Encode(), ""});
  }
}

void BlockWriter::AddSpans(const Space& space, std::vector<const model::Span*> rows,
                           BucketWrite& out) {
  // By time, so that blocks of one seal do not all cover the same time.
  if (rows.size() >= 2 * kSpanBlockRows) {
    std::sort(rows.begin(), rows.end(),
              [](const model::Span* a, const model::Span* b) { return a->start_ns < b->start_ns; });
  }
  const size_t parts = std::max<size_t>(1, rows.size() / kSpanBlockRows);
  const size_t each = (rows.size() + parts - 1) / parts;
  std::vector<const model::Span*> block;
  size_t text_bytes = 0;
  for (const model::Span* span : rows) {
    const size_t bytes = SpanTextBytes(*span);
    if (block.size() == each || (!block.empty() && text_bytes + bytes > kSpanBlockTextBytes)) {
      AddSpanBlock(space, block, out);
      block.clear();
      text_bytes = 0;
    }
    block.push_back(span);
    text_bytes += bytes;
  }
  if (!block.empty()) AddSpanBlock(space, block, out);
}

void BlockWriter::AddEdges(const Space& space, BlockClass block_class,
                           const std::vector<model::EdgeStats>& rows, BucketWrite& out) {
  EdgeSeries series;
  EdgeSums sums;
  const std::vector<EdgeRow> named = NameEdgeRows(rows, series, sums);
  AddEdges(space, block_class, series, named, out);
}

void BlockWriter::AddEdges(const Space& space, BlockClass block_class, const EdgeSeries& series,
                           std::span<const EdgeRow> rows, BucketWrite& out) {
  const size_t parts = std::max<size_t>(1, rows.size() / kEdgeBlockRows);
  const size_t each = (rows.size() + parts - 1) / parts;
  for (; !rows.empty(); rows = rows.subspan(std::min(each, rows.size()))) {
    Add(space, block_class,
        EncodeEdgeBlock(series, rows.first(std::min(each, rows.size())), dictionaries_), out);
  }
}

void BlockWriter::AddMetrics(const Space& space, std::vector<MetricRun> runs, BucketWrite& out) {
  std::vector<MetricRun> part;
  size_t points = 0;
  const auto flush = [&] {
    if (part.empty()) return;
    Add(space, BlockClass::kMetrics, EncodeMetricBlock(std::move(part), dictionaries_), out);
    part.clear();
    points = 0;
  };
  for (MetricRun& run : runs) {
    if (run.windows.empty()) continue;
    points += run.windows.size();
    part.push_back(std::move(run));
    if (points >= kMetricBlockPoints) flush();
  }
  flush();
}

template <typename Row>
void BlockWriter::AddRows(const Space& space, BlockClass block_class, const std::vector<Row>& rows,
                          BucketWrite& out) {
  for (size_t begin = 0; begin < rows.size(); begin += kMaxBlockRows) {
    std::vector<const Row*> part;
    SealedBlock block{.first_ns = INT64_MAX, .last_ns = INT64_MIN};
    for (size_t i = begin; i < std::min(rows.size(), begin + kMaxBlockRows); ++i) {
      part.push_back(&rows[i]);
      block.first_ns = std::min(block.first_ns, TimeOf(rows[i]));
      block.last_ns = std::max(block.last_ns, TimeOf(rows[i]));
    }
    block.rows = part.size();
    block.body = EncodeBlock(part);
    Add(space, block_class, std::move(block), out);
  }
}

void BlockWriter::AddProcesses(const Space& space, std::vector<model::ProcessEvent> rows,
                               BucketWrite& out) {
  AddRows(space, BlockClass::kProcesses, rows, out);
}

void BlockWriter::AddLosses(const Space& space, std::vector<model::Loss> rows, BucketWrite& out) {
  AddRows(space, BlockClass::kLosses, rows, out);
}

SeriesScope SeriesGate::ScopeOf(const Space& space, int64_t bucket_ns) {
  const SeriesScope scope{space.tenant, space.cluster, bucket_ns};
  if (!limiter_.Knows(scope)) seed_(space, bucket_ns, limiter_);
  return scope;
}

bool SeriesGate::Folds(const Space& space, int64_t bucket_ns, const EdgeSeries& series,
                       const std::vector<uint64_t>& rows, std::vector<SeriesLimiter::Fold>& folds) {
  const SeriesScope scope = ScopeOf(space, bucket_ns);
  bool any = false;
  for (uint32_t i = 0; i < rows.size(); ++i) {
    folds.push_back(limiter_.FoldOf(scope, series.row(i), rows[i]));
    any |= folds.back() != SeriesLimiter::Fold::kNone;
  }
  return any;
}

void SeriesGate::Limit(const Space& space, int64_t bucket_ns, std::vector<MetricRun>& runs) {
  const SeriesScope scope = ScopeOf(space, bucket_ns);
  for (MetricRun& run : runs) limiter_.Limit(scope, run.series);
}

BucketWrites Seal(const std::vector<UnsealedBatch>& batches, const View& view,
                  const SealOptions& options, SeriesGate& gate, BlockWriter& writer,
                  std::atomic<uint64_t>& next_number, uint64_t& refused) {
  Partition partition(view, options, refused);
  for (const UnsealedBatch& batch : batches) partition.Add(*batch.batch);

  BucketWrites out;
  const auto bucket_ns = [&](Tier tier) { return options.bucket_ns[static_cast<size_t>(tier)]; };
  const auto add_flows = [&](const Space& space, Tier tier,
                             const std::vector<model::EdgeStats>& flows) {
    Buckets<model::EdgeStats> buckets;
    for (const model::EdgeStats& flow : flows) {
      buckets[AlignDown(flow.window_start_ns, bucket_ns(tier))].push_back(flow);
    }
    for (const auto& [bucket, part] : buckets) {
      writer.AddEdges(space, BlockClass::kFlows, part, out[{tier, bucket}]);
    }
  };
  for (auto& [space, rows] : partition.spaces()) {
    for (auto& [start, spans] : rows.spans) {
      writer.AddSpans(space, std::move(spans), out[{Tier::kSpans, start}]);
    }
    for (auto& [start, edges] : rows.edges) {
      SealedEdges sealed(edges, space, start, gate);
      const std::vector<EdgeRow> minutes = sealed.RollUp(sealed.rows(), kMinuteNs);
      const std::vector<EdgeRow> hours = sealed.RollUp(minutes, kHourNs);
      const std::vector<model::EdgeStats> flows = FlowsOf(minutes, sealed.series());
      writer.AddEdges(space, BlockClass::kEdges, sealed.series(), sealed.rows(),
                      out[{Tier::kSeries10s, start}]);
      for (const auto& [bucket, part] : Regroup(minutes, bucket_ns(Tier::kSeries1m))) {
        writer.AddEdges(space, BlockClass::kEdges, sealed.series(), part,
                        out[{Tier::kSeries1m, bucket}]);
      }
      for (const auto& [bucket, part] : Regroup(hours, bucket_ns(Tier::kSeries1h))) {
        writer.AddEdges(space, BlockClass::kEdges, sealed.series(), part,
                        out[{Tier::kSeries1h, bucket}]);
      }
      add_flows(space, Tier::kSeries1h, RollUpEdges(flows, kHourNs));
      add_flows(space, Tier::kSeries1m, flows);
    }
    for (auto& [start, runs] : rows.metrics) {
      gate.Limit(space, start, runs);
      std::vector<MetricRun> minutes = RollUpMetrics(runs, kMinuteNs);
      std::vector<MetricRun> hours = RollUpMetrics(minutes, kHourNs);
      writer.AddMetrics(space, std::move(runs), out[{Tier::kSeries10s, start}]);
      for (auto& [bucket, part] : ByBucket(std::move(minutes), bucket_ns(Tier::kSeries1m))) {
        writer.AddMetrics(space, std::move(part), out[{Tier::kSeries1m, bucket}]);
      }
      for (auto& [bucket, part] : ByBucket(std::move(hours), bucket_ns(Tier::kSeries1h))) {
        writer.AddMetrics(space, std::move(part), out[{Tier::kSeries1h, bucket}]);
      }
    }
    for (auto& [start, events] : rows.processes) {
      writer.AddProcesses(space, std::move(events), out[{Tier::kEvents, start}]);
    }
    for (auto& [start, losses] : rows.losses) {
      writer.AddLosses(space, std::move(losses), out[{Tier::kEvents, start}]);
    }
    for (const auto& [start, chunks] : rows.chunks) {
      AddChunks(space, chunks, next_number, out[{Tier::kSpans, start}].values);
    }
    for (const auto& [start, contents] : rows.contents) {
      AddContents(space, contents, out[{Tier::kSpans, start}].values);
    }
  }
  return out;
}

}  // namespace kindling::storage
