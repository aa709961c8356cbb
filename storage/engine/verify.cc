#include "storage/engine/verify.h"

#include <rocksdb/db.h>

#include <algorithm>
#include <array>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_format.h"
#include "storage/align.h"
#include "storage/blocks/edge_block.h"
#include "storage/blocks/frame.h"
#include "storage/blocks/metric_block.h"
#include "storage/blocks/row_block.h"
#include "storage/blocks/span_block.h"
#include "storage/blocks/span_filter.h"
#include "storage/engine/block_reader.h"
#include "storage/engine/verify_rows.h"

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
  Verifier(rocksdb::DB& db, const View& view, const VerifyProgress& progress)
      : db_(db), view_(view), progress_(progress) {}

  VerifyReport Run() {
    for (const storage::Fault& fault : view_.faults) Fault("cannot read " + fault.what);
    uint64_t total = 0;
    for (const auto& bucket : view_.buckets) total += bucket->blocks.size();
    const TellFault tell = [this](std::string fault) { Fault(std::move(fault)); };
    for (const auto& bucket : view_.buckets) {
      for (const auto& block : bucket->blocks) {
        progress_(report_.blocks, total);
        Check(*bucket, *block);
      }
      if (bucket->id.tier == Tier::kSpans) VerifyRows(db_, view_, *bucket, tell);
    }
    VerifyAddresses(db_, view_, tell);
    CompareSums();
    progress_(total, total);
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

  // A filter that is damaged costs time only, one that says no where it should not hides rows.
  void CheckFilter(const Bucket& bucket, const Block& block, FrameClass frame_class,
                   const std::function<bool(std::string_view filter)>& is_true) {
    if (!block.has_filter) return;
    rocksdb::PinnableSlice filter;
    absl::Status status = ReadPart(db_, view_, bucket, block, BlockPart::kFilter, &filter);
    if (status.ok()) {
      const auto frame =
          FrameReader::Open(filter.ToStringView(), frame_class, UINT8_MAX, *view_.dictionaries);
      status = frame.status();
      std::string room;
      for (const auto& [number, bytes] : frame.ok() ? frame->StoredSizes() : Sizes()) {
        status.Update(frame->Read(number, room).status());
      }
    }
    if (status.ok() && !is_true(filter.ToStringView())) {
      status = absl::DataLossError("it leaves out what is there");
    }
    if (!status.ok()) Fault("the filter of " + BlockFault(block, status));
  }

  absl::StatusOr<uint64_t> Rows(const Bucket& bucket, const Block& block, std::string_view body) {
    const ZstdDictionaries& dictionaries = *view_.dictionaries;
    switch (block.key.block_class) {
      case BlockClass::kSpans: {
        absl::StatusOr<SpanBlock> opened = SpanBlock::Open(body, dictionaries);
        if (!opened.ok()) return opened.status();
        const absl::StatusOr<std::vector<model::Span>> rows = opened->Decode();
        if (!rows.ok()) return rows.status();
        const auto units_of = [&](const model::TraceId& id) {
          return block.spans ? block.spans->units().OfTrace(id) : SpanUnits::All();
        };
        CheckFilter(bucket, block, FrameClass::kSpanFilter, [&](std::string_view filter) {
          return std::all_of(rows->begin(), rows->end(), [&](const model::Span& span) {
            return span.trace_id == model::TraceId{} ||
                   !SpanFilterTraceUnits(filter, span.trace_id, units_of(span.trace_id)).empty();
          });
        });
        return rows->size();
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
        CheckFilter(bucket, block, FrameClass::kMetricFilter, [&](std::string_view filter) {
          return std::all_of(runs->begin(), runs->end(), [&](const MetricRun& run) {
            return MetricFilterMayMatch(filter, run.series.name, run.series.labels);
          });
        });
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

  using Sizes = std::vector<std::pair<uint32_t, size_t>>;

  rocksdb::DB& db_;
  const View& view_;
  const VerifyProgress& progress_;
  VerifyReport report_;
  std::map<std::pair<Space, int64_t>, std::array<Sums, kTierCount>> sums_;
};

}  // namespace

VerifyReport VerifyView(rocksdb::DB& db, const View& view, const VerifyProgress& progress) {
  return Verifier(db, view, progress).Run();
}

}  // namespace kindling::storage
