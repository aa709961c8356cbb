#include "storage/engine/inspect.h"

#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/statistics.h>
#include <rocksdb/write_buffer_manager.h>

#include <algorithm>
#include <map>
#include <string>
#include <tuple>
#include <utility>

#include "absl/strings/str_format.h"
#include "storage/align.h"
#include "storage/blocks/edge_block.h"
#include "storage/blocks/metric_block.h"
#include "storage/blocks/row_block.h"
#include "storage/blocks/span_block.h"
#include "storage/engine/block_reader.h"
#include "storage/engine/engine.h"
#include "storage/engine/room.h"

namespace kindling::storage {
namespace {

constexpr size_t kMaxFaults = 100;
constexpr int64_t kHourNs = int64_t{3600} * 1'000'000'000;

// What the rows of one hour and space add up to, wrapping where they overflow.
struct Sums {
  uint64_t edges = 0;  // a digest of counts, bytes and latencies
  uint64_t points = 0;
  uint64_t flows = 0;  // a digest of what they count
  bool operator==(const Sums&) const = default;
};

uint64_t Digest(const model::EdgeStats& row) {
  return row.count + 3 * row.sent_bytes + 5 * row.received_bytes + 7 * row.connections +
         11 * row.lost + 13 * row.latency.count() + 17 * row.latency.sum_ns() +
         19 * row.slow_count + 23 * row.connect_failures;
}

uint64_t FlowDigest(const model::EdgeStats& row) {
  return row.count + 3 * row.connections + 5 * row.connect_failures + 7 * row.lost;
}

class Verifier {
 public:
  Verifier(rocksdb::DB& db, const View& view) : db_(db), view_(view) {}

  VerifyReport Run() {
    for (const storage::Fault& fault : view_.faults) Fault("cannot read " + fault.what);
    for (const auto& bucket : view_.buckets) {
      for (const auto& block : bucket->blocks) Check(*bucket, *block);
    }
    CompareSums();
    return std::move(report_);
  }

 private:
  void Fault(std::string text) {
    if (report_.faults.size() < kMaxFaults) report_.faults.push_back(std::move(text));
  }

  void Check(const Bucket& bucket, const Block& block) {
    ++report_.blocks;
    report_.bytes += block.bytes;
    rocksdb::PinnableSlice body;
    absl::StatusOr<uint64_t> rows = 0;
    if (absl::Status read = ReadPart(db_, view_, bucket, block, BlockPart::kBody, &body);
        read.ok()) {
      rows = Rows(bucket, block, body.ToStringView());
    } else {
      rows = std::move(read);
    }
    if (rows.ok() && *rows != block.rows) {
      rows = absl::DataLossError(
          absl::StrFormat("it holds %d rows, its summary says %d", *rows, block.rows));
    }
    if (rows.ok() && block.key.block_class == BlockClass::kSpans && !block.spans) {
      rows = absl::DataLossError("its summary is damaged");
    }
    if (rows.ok()) {
      report_.rows += *rows;
      return;
    }
    ++report_.damaged_blocks;
    Fault(BlockFault(block, rows.status()));
  }

  absl::StatusOr<uint64_t> Rows(const Bucket& bucket, const Block& block, std::string_view body) {
    const ZstdDictionaries& dictionaries = *view_.dictionaries;
    switch (block.key.block_class) {
      case BlockClass::kSpans: {
        absl::StatusOr<SpanBlock> opened = SpanBlock::Open(body, dictionaries);
        if (!opened.ok()) return opened.status();
        return Count(opened->Decode());
      }
      case BlockClass::kEdges: {
        const auto rows = DecodeEdgeBlock(body, dictionaries);
        if (rows.ok()) {
          for (const model::EdgeStats& row : *rows) {
            Sums& sums = SumsOf(bucket, block, row.window_start_ns);
            sums.edges += Digest(row);
            // The rows as sent have no flows beside them, but add up to the same.
            if (bucket.id.tier == Tier::kSeries10s) sums.flows += FlowDigest(row);
          }
        }
        return Count(rows);
      }
      case BlockClass::kFlows: {
        const auto rows = DecodeEdgeBlock(body, dictionaries);
        if (rows.ok()) {
          for (const model::EdgeStats& row : *rows) {
            SumsOf(bucket, block, row.window_start_ns).flows += FlowDigest(row);
          }
        }
        return Count(rows);
      }
      case BlockClass::kMetrics: {
        const auto runs = DecodeMetricBlock(body, dictionaries);
        if (!runs.ok()) return runs.status();
        uint64_t windows = 0;
        for (const MetricRun& run : *runs) {
          windows += run.windows.size();
          for (const MetricWindow& window : run.windows) {
            SumsOf(bucket, block, window.time_ns).points += window.count;
          }
        }
        return windows;
      }
      case BlockClass::kProcesses:
        return Count(DecodeBlock<model::ProcessEvent>(body));
      case BlockClass::kLosses:
        return Count(DecodeBlock<model::Loss>(body));
    }
    return absl::DataLossError("it is of an unknown class");
  }

  template <typename Row>
  static absl::StatusOr<uint64_t> Count(const absl::StatusOr<std::vector<Row>>& rows) {
    if (!rows.ok()) return rows.status();
    return rows->size();
  }

  Sums& SumsOf(const Bucket& bucket, const Block& block, int64_t time_ns) {
    return sums_[{block.key.space, AlignDown(time_ns, kHourNs)}]
                [static_cast<size_t>(bucket.id.tier)];
  }

  // True when every part that was ever written for this hour is still there.
  bool Whole(Tier tier, int64_t hour_ns) const {
    if (hour_ns < view_.dropped_before_ns[static_cast<size_t>(tier)]) return false;
    bool from_first = true;
    for (const auto& bucket : view_.buckets) {
      if (bucket->id.tier != tier || !bucket->id.Overlaps(hour_ns, hour_ns + kHourNs)) continue;
      BucketId first = bucket->id;
      first.part = 0;
      from_first &= std::any_of(view_.buckets.begin(), view_.buckets.end(),
                                [&](const auto& other) { return other->id == first; });
    }
    return from_first;
  }

  void CompareSums() {
    // A damaged block has been told of already, and makes sums differ.
    if (report_.damaged_blocks > 0 || !view_.faults.empty()) return;
    for (const auto& [where, tiers] : sums_) {
      const int64_t hour_ns = where.second;
      if (!Whole(Tier::kSeries10s, hour_ns)) continue;
      const Sums& rows = tiers[static_cast<size_t>(Tier::kSeries10s)];
      for (const Tier tier : {Tier::kSeries1m, Tier::kSeries1h}) {
        if (!Whole(tier, hour_ns) || tiers[static_cast<size_t>(tier)] == rows) continue;
        Fault(absl::StrFormat("%s differs from the rows it sums in the hour from %d ns", Name(tier),
                              hour_ns));
      }
    }
  }

  rocksdb::DB& db_;
  const View& view_;
  VerifyReport report_;
  std::map<std::pair<Space, int64_t>, std::array<Sums, kTierCount>> sums_;
};

BucketStatus StatusOf(const Bucket& bucket) {
  return {.record_class = std::string(Name(bucket.id.tier)),
          .start_ns = bucket.id.start_ns,
          .end_ns = bucket.id.end_ns(),
          .part = bucket.id.part,
          .blocks = bucket.blocks.size(),
          .rows = bucket.rows,
          .bytes = bucket.bytes + bucket.dead_bytes};
}

void AddContents(const View& view, StoreStatus& out) {
  out.oldest_ns = OldestRecord(view);
  out.unsealed_batches = view.unsealed.size();
  for (const UnsealedBatch& unsealed : view.unsealed) {
    out.unsealed_bytes += unsealed.bytes;
    if (out.oldest_unsealed_ns == 0 || unsealed.arrived_ns < out.oldest_unsealed_ns) {
      out.oldest_unsealed_ns = unsealed.arrived_ns;
    }
  }
  for (const auto& bucket : view.buckets) {
    out.buckets.push_back(StatusOf(*bucket));
    for (const auto& block : bucket->blocks) {
      if (block->spans) out.memory_bytes += block->spans->memory_bytes();
    }
  }
  for (const Fault& fault : view.faults) {
    if (!view.IsPast(fault)) out.faults.push_back(fault.what);
  }
}

}  // namespace

int64_t OldestRecord(const View& view) {
  int64_t oldest_ns = INT64_MAX;
  for (const auto& bucket : view.buckets) {
    for (const auto& block : bucket->blocks) oldest_ns = std::min(oldest_ns, block->first_ns);
  }
  const auto take = [&](Tier tier, int64_t time_ns) {
    if (view.Keeps(tier, time_ns)) oldest_ns = std::min(oldest_ns, time_ns);
  };
  for (const UnsealedBatch& unsealed : view.unsealed) {
    const model::Batch& batch = *unsealed.batch;
    for (const auto& row : batch.spans) take(Tier::kSpans, row.start_ns);
    for (const auto& row : batch.edges) take(Tier::kSeries10s, row.window_start_ns);
    for (const auto& row : batch.processes) take(Tier::kEvents, row.time_ns);
    for (const auto& row : batch.losses) take(Tier::kEvents, row.time_ns);
    for (const auto& row : batch.points) take(Tier::kSeries10s, row.time_ns);
    for (const auto& row : batch.chunks) take(Tier::kSpans, row.first_ns);
  }
  return oldest_ns == INT64_MAX ? 0 : oldest_ns;
}

StoreStatus StatusOf(Engine& engine) {
  const Engine::Reading reading(engine);
  const DatabaseResources& resources = engine.resources();
  StoreStatus out;
  out.id = engine.id();
  out.format = Engine::kFormat;
  out.directory = engine.options().directory;
  out.bytes = DirectoryBytes(out.directory);
  out.max_bytes = engine.options().max_bytes;
  out.free_bytes = FreeBytes(out.directory);
  out.late_refused = engine.late_refused();
  const auto ticker = [&](uint32_t which) { return resources.statistics->getTickerCount(which); };
  out.write_stalls = resources.write_stalls->load();
  out.write_stall_seconds = static_cast<double>(ticker(rocksdb::STALL_MICROS)) / 1e6;
  out.cache_hits = ticker(rocksdb::BLOCK_CACHE_HIT);
  out.cache_misses = ticker(rocksdb::BLOCK_CACHE_MISS);
  out.memory_bytes = resources.cache->GetUsage() + resources.write_buffers->memory_usage() +
                     engine.unsealed_memory_bytes();
  out.memory_limit_bytes = engine.options().memory_bytes;
  out.stopped = engine.stopped();
  if (reading.status().ok()) AddContents(reading.view(), out);
  return out;
}

VerifyReport VerifyView(rocksdb::DB& db, const View& view) { return Verifier(db, view).Run(); }

}  // namespace kindling::storage
