#include "storage/engine/scan.h"

#include <rocksdb/db.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "base/status_macros.h"
#include "storage/align.h"
#include "storage/blocks/edge_block.h"
#include "storage/blocks/metric_block.h"
#include "storage/blocks/row_block.h"
#include "storage/blocks/span_block.h"
#include "storage/engine/address_rows.h"
#include "storage/engine/block_reader.h"
#include "storage/engine/block_scan.h"
#include "storage/engine/chunk_values.h"
#include "storage/engine/metric_runs.h"
#include "storage/engine/rocks_status.h"

namespace kindling::storage {
namespace {

constexpr size_t kAddressesPerVisit = 4096;
constexpr size_t kEdgesPerVisit = 256;
// Chunks between two looks at whether they are still wanted.
constexpr uint64_t kChunksPerLook = 64;
constexpr int64_t kMinuteNs = 60'000'000'000;
constexpr int64_t kHourNs = 60 * kMinuteNs;

int64_t TimeOf(const model::Span& row) { return row.start_ns; }
int64_t TimeOf(const model::EdgeStats& row) { return row.window_start_ns; }
int64_t TimeOf(const model::ProcessEvent& row) { return row.time_ns; }
int64_t TimeOf(const model::Loss& row) { return row.time_ns; }

class Scanner {
 public:
  Scanner(rocksdb::DB& db, const View& view, const ScanPlan& plan,
          const std::function<bool(const model::Batch&)>& visit)
      : db_(db),
        view_(view),
        plan_(plan),
        visit_(visit),
        blocks_(db, view, {plan.tenant, plan.cluster}, plan.cancelled) {
    blocks_.damage.AddFaults(view, std::nullopt, plan.start_ns, plan.end_ns);
  }

  void Unsealed() {
    for (const UnsealedBatch& unsealed : view_.unsealed) {
      const model::Batch& from = *unsealed.batch;
      if (blocks_.stopped) return;
      if (from.tenant != plan_.tenant || from.cluster != plan_.cluster) continue;
      model::Batch batch = Selected();
      batch.id = from.id;
      batch.rule_version = from.rule_version;
      batch.first_ns = from.first_ns;
      batch.last_ns = from.last_ns;
      if (plan_.spans) CopyRows(Tier::kSpans, from.spans, batch.spans);
      if (plan_.edges) CopyRows(Tier::kSeries10s, from.edges, batch.edges);
      if (plan_.processes) CopyRows(Tier::kEvents, from.processes, batch.processes);
      if (plan_.losses) CopyRows(Tier::kEvents, from.losses, batch.losses);
      Give(batch);
    }
  }

  void Spans() {
    blocks_.Each(Tier::kSpans, BlockClass::kSpans, plan_.start_ns, plan_.end_ns,
                 [&](const Bucket&, const Block&, std::string_view body) {
                   absl::StatusOr<SpanBlock> block = SpanBlock::Open(body, *view_.dictionaries);
                   if (!block.ok()) return block.status();
                   return GiveRows(block->Decode(), &model::Batch::spans);
                 });
  }

  void Edges() {
    for (const TierRange& range :
         SeriesRanges(view_, plan_.start_ns, plan_.end_ns, plan_.step_ns)) {
      blocks_.Each(range.tier, BlockClass::kEdges, range.start_ns, range.end_ns,
                   [&](const Bucket&, const Block&, std::string_view body) {
                     return GiveEdges(body, range);
                   });
    }
  }

  template <typename Row>
  void Events(BlockClass block_class, std::vector<Row> model::Batch::*rows) {
    blocks_.Each(Tier::kEvents, block_class, plan_.start_ns, plan_.end_ns,
                 [&](const Bucket&, const Block&, std::string_view body) {
                   return GiveRows(DecodeBlock<Row>(body), rows);
                 });
  }

  void Addresses() {
    const std::string prefix = AddressKey::Prefix(plan_.tenant, plan_.cluster);
    // Bindings are in force before the batch that brought them is sealed: the latest state counts.
    const std::unique_ptr<rocksdb::Iterator> iterator(db_.NewIterator(rocksdb::ReadOptions()));
    model::Batch batch = Selected();
    for (iterator->Seek(prefix); iterator->Valid() && iterator->key().starts_with(prefix);
         iterator->Next()) {
      std::optional<model::AddressBinding> row =
          ParseAddressRow(iterator->key().ToStringView(), iterator->value().ToStringView());
      if (!row) {
        blocks_.damage.Add("an address binding");
        continue;
      }
      if (row->first_ns >= plan_.end_ns) continue;
      batch.addresses.push_back(*std::move(row));
      if (batch.addresses.size() >= kAddressesPerVisit) {
        status_ = StillWanted(plan_.cancelled);
        if (!status_.ok()) return;
        Give(std::exchange(batch, Selected()));
      }
      if (blocks_.stopped) return;
    }
    if (iterator->status().IsCorruption() || iterator->status().IsPathNotFound()) {
      blocks_.damage.Add("a part of the address table: " + iterator->status().ToString());
    } else if (!iterator->status().ok()) {
      status_ = FromRocks(iterator->status(), "read the store");
    }
    Give(batch);
  }

  absl::StatusOr<ScanReport> Finish() {
    if (!status_.ok()) return status_;
    if (!blocks_.wanted.ok()) return blocks_.wanted;
    return blocks_.damage.Take();
  }

 private:
  model::Batch Selected() const {
    model::Batch batch;
    batch.tenant = plan_.tenant;
    batch.cluster = plan_.cluster;
    return batch;
  }

  void Give(const model::Batch& batch) {
    if (!batch.empty() && !blocks_.stopped) blocks_.stopped = !visit_(batch);
  }

  bool InRange(int64_t time_ns) const {
    return plan_.start_ns <= time_ns && time_ns < plan_.end_ns;
  }

  template <typename Row>
  void CopyRows(Tier tier, const std::vector<Row>& from, std::vector<Row>& to) {
    for (const Row& row : from) {
      if (InRange(TimeOf(row)) && view_.Keeps(tier, TimeOf(row))) to.push_back(row);
    }
  }

  // A few at a time: those of a whole block take much more memory than its bytes.
  absl::Status GiveEdges(std::string_view body, const TierRange& range) {
    model::Batch batch = Selected();
    batch.edges.reserve(kEdgesPerVisit);
    const auto give = [&] {
      Give(batch);
      batch.edges.clear();
    };
    absl::Status status = ReadEdgeBlock(body, *view_.dictionaries, range.start_ns, range.end_ns,
                                        [&](model::EdgeStats& row) {
                                          batch.edges.push_back(std::move(row));
                                          if (batch.edges.size() == kEdgesPerVisit) give();
                                          return !blocks_.stopped;
                                        });
    give();
    return status;
  }

  template <typename Row>
  absl::Status GiveRows(absl::StatusOr<std::vector<Row>> decoded,
                        std::vector<Row> model::Batch::*rows) {
    if (!decoded.ok()) return decoded.status();
    std::erase_if(*decoded, [&](const Row& row) { return !InRange(TimeOf(row)); });
    if (decoded->empty()) return absl::OkStatus();
    model::Batch batch = Selected();
    batch.first_ns = INT64_MAX;
    batch.last_ns = INT64_MIN;
    for (const Row& row : *decoded) {
      batch.first_ns = std::min(batch.first_ns, TimeOf(row));
      batch.last_ns = std::max(batch.last_ns, TimeOf(row));
    }
    batch.*rows = *std::move(decoded);
    Give(batch);
    return absl::OkStatus();
  }

  rocksdb::DB& db_;
  const View& view_;
  const ScanPlan& plan_;
  const std::function<bool(const model::Batch&)>& visit_;
  BlockScan blocks_;
  absl::Status status_;
};

}  // namespace

std::vector<TierRange> SeriesRanges(const View& view, int64_t start_ns, int64_t end_ns,
                                    int64_t step_ns) {
  std::vector<TierRange> out;
  if (start_ns >= end_ns) return out;
  const auto dropped = [&](Tier tier) { return view.dropped_before_ns[static_cast<size_t>(tier)]; };
  // [start, end) is divided into: before `left` and after `right` fine rows, between them coarse.
  struct Level {
    Tier fine;
    Tier coarse;
    int64_t window_ns;
  };
  constexpr Level kLevels[] = {{Tier::kSeries1m, Tier::kSeries1h, kHourNs},
                               {Tier::kSeries10s, Tier::kSeries1m, kMinuteNs}};
  // The part of [start, end) that still has to be divided among finer tiers, on either side.
  std::vector<TierRange> rest = {{Tier::kSeries1m, start_ns, end_ns}};
  for (const Level& level : kLevels) {
    std::vector<TierRange> finer;
    for (const TierRange& range : rest) {
      const int64_t first = AlignUp(range.start_ns, level.window_ns);
      const int64_t last = AlignDown(range.end_ns, level.window_ns);
      // Everything by the step; without one what the finer tier no longer has.
      const int64_t gone_ns = AlignUp(std::min(dropped(level.fine), range.end_ns), level.window_ns);
      const int64_t right = step_ns >= level.window_ns ? last
                            : step_ns == 0             ? std::min(last, gone_ns)
                                                       : INT64_MIN;
      if (first >= right) {
        finer.push_back({level.fine, range.start_ns, range.end_ns});
        continue;
      }
      out.push_back({level.coarse, first, right});
      if (range.start_ns < first) finer.push_back({level.fine, range.start_ns, first});
      if (right < range.end_ns) finer.push_back({level.fine, right, range.end_ns});
    }
    rest = std::move(finer);
  }
  for (const TierRange& range : rest)
    out.push_back({Tier::kSeries10s, range.start_ns, range.end_ns});
  return out;
}

absl::StatusOr<ScanReport> ScanView(rocksdb::DB& db, const View& view, const ScanPlan& plan,
                                    const std::function<bool(const model::Batch&)>& visit) {
  Scanner scanner(db, view, plan, visit);
  if (plan.addresses) scanner.Addresses();
  if (plan.edges) scanner.Edges();
  if (plan.spans) scanner.Spans();
  if (plan.processes) scanner.Events(BlockClass::kProcesses, &model::Batch::processes);
  if (plan.losses) scanner.Events(BlockClass::kLosses, &model::Batch::losses);
  scanner.Unsealed();
  return scanner.Finish();
}

absl::StatusOr<ScanReport> QuerySeriesIn(rocksdb::DB& db, const View& view,
                                         const Store::SeriesQuery& query,
                                         const std::function<bool(const MetricRun&)>& visit) {
  const auto wanted = [&](const model::MetricSeries& series) {
    if (!query.name.empty() && series.name != query.name) return false;
    for (const auto& label : query.labels) {
      if (std::find(series.labels.begin(), series.labels.end(), label) == series.labels.end()) {
        return false;
      }
    }
    return query.want == nullptr || query.want(series);
  };
  BlockScan scan(db, view, {query.tenant, query.cluster}, query.cancelled);
  for (const TierRange& range : SeriesRanges(view, query.start_ns, query.end_ns, query.step_ns)) {
    scan.Each(range.tier, BlockClass::kMetrics, range.start_ns, range.end_ns,
              [&](const Bucket& bucket, const Block& block, std::string_view body) {
                if (block.has_filter) {
                  rocksdb::PinnableSlice filter;
                  const absl::Status read =
                      ReadPart(db, view, bucket, block, BlockPart::kFilter, &filter);
                  if (read.ok() &&
                      !MetricFilterMayMatch(filter.ToStringView(), query.name, query.labels)) {
                    return absl::OkStatus();
                  }
                }
                const auto runs = DecodeMetricBlock(body, *view.dictionaries, wanted,
                                                    range.start_ns, range.end_ns);
                if (!runs.ok()) return runs.status();
                for (const MetricRun& run : *runs) {
                  if (!scan.stopped && !run.windows.empty()) scan.stopped = !visit(run);
                }
                return absl::OkStatus();
              });
  }
  for (const UnsealedBatch& unsealed : view.unsealed) {
    const model::Batch& batch = *unsealed.batch;
    if (scan.stopped) break;
    if (batch.tenant != query.tenant || batch.cluster != query.cluster) continue;
    for (const MetricRun& run : RunsOf(batch, [&](uint32_t series, int64_t time_ns) {
           return query.start_ns <= time_ns && time_ns < query.end_ns &&
                  view.Keeps(Tier::kSeries10s, time_ns) && wanted(batch.series[series]);
         })) {
      if (!scan.stopped) scan.stopped = !visit(run);
    }
  }
  if (!scan.wanted.ok()) return scan.wanted;
  return scan.damage.Take();
}

absl::StatusOr<ScanReport> QueryChunksIn(rocksdb::DB& db, const View& view,
                                         const Store::ChunkQuery& query,
                                         const std::function<bool(const model::Chunk&)>& visit) {
  Damage damage;
  damage.AddFaults(view, Tier::kSpans, query.start_ns, query.end_ns);
  bool stopped = false;
  const Space space{query.tenant, query.cluster};
  const auto give = [&](const model::Chunk& chunk) {
    if (chunk.first_ns >= query.end_ns || chunk.last_ns < query.start_ns) return;
    if (query.span_id != 0 && chunk.span_id != query.span_id) return;
    if (!stopped) stopped = !visit(chunk);
  };
  rocksdb::ReadOptions options;
  options.snapshot = view.snapshot.get();
  for (const auto& bucket : view.buckets) {
    if (stopped) break;
    if (bucket->id.tier != Tier::kSpans || bucket->id.start_ns >= query.end_ns) continue;
    const std::unique_ptr<rocksdb::Iterator> iterator(
        db.NewIterator(options, bucket->family->handle()));
    const std::string prefix =
        query.span_id == 0 ? ChunkKey::Prefix(space) : SpanChunkKey::Prefix(space, query.span_id);
    uint64_t rows = 0;
    for (iterator->Seek(prefix);
         !stopped && iterator->Valid() && iterator->key().starts_with(prefix); iterator->Next()) {
      if (rows++ % kChunksPerLook == 0) RETURN_IF_ERROR(StillWanted(query.cancelled));
      std::optional<ChunkKey> key;
      rocksdb::PinnableSlice value;
      rocksdb::Status read;
      if (query.span_id == 0) {
        key = ChunkKey::Parse(iterator->key().ToStringView());
        value.PinSelf(iterator->value());
      } else if (const auto by_span = SpanChunkKey::Parse(iterator->key().ToStringView())) {
        key = ChunkKey{by_span->space, by_span->first_ns, by_span->number};
        read = db.Get(options, bucket->family->handle(), key->Encode(), &value);
      }
      if (key && key->first_ns >= query.end_ns && query.span_id == 0) break;
      const std::optional<model::Chunk> chunk =
          key && read.ok() ? ParseChunk(*key, value.ToStringView()) : std::nullopt;
      if (chunk) {
        give(*chunk);
      } else {
        damage.Add("a chunk");
      }
    }
    if (!iterator->status().ok()) damage.Add("chunks: " + iterator->status().ToString());
  }
  for (const UnsealedBatch& unsealed : view.unsealed) {
    const model::Batch& batch = *unsealed.batch;
    if (batch.tenant != query.tenant || batch.cluster != query.cluster) continue;
    for (const model::Chunk& chunk : batch.chunks) {
      if (view.Keeps(Tier::kSpans, chunk.first_ns)) give(chunk);
    }
  }
  return damage.Take();
}

absl::StatusOr<std::string> GetContentIn(rocksdb::DB& db, const View& view, const Space& space,
                                         const model::ContentHash& hash) {
  for (const UnsealedBatch& unsealed : view.unsealed) {
    const model::Batch& batch = *unsealed.batch;
    if (batch.tenant != space.tenant || batch.cluster != space.cluster) continue;
    for (const model::Content& content : batch.contents) {
      if (content.hash == hash) return content.bytes;
    }
  }
  const ContentKey key{space, hash.high, hash.low};
  const std::string encoded = key.Encode();
  rocksdb::ReadOptions options;
  options.snapshot = view.snapshot.get();
  // The newest first: what is asked for is mostly new.
  for (auto it = view.buckets.rbegin(); it != view.buckets.rend(); ++it) {
    if ((*it)->id.tier != Tier::kSpans) continue;
    rocksdb::PinnableSlice value;
    const rocksdb::Status read = db.Get(options, (*it)->family->handle(), encoded, &value);
    if (read.IsNotFound()) continue;
    if (!read.ok()) return FromRocks(read, "read a content");
    std::optional<model::Content> content = ParseContent(key, value.ToStringView());
    if (!content) return absl::DataLossError("a content is damaged");
    return std::move(content->bytes);
  }
  return absl::NotFoundError("no content with this hash is kept");
}

}  // namespace kindling::storage
