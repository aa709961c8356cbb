#pragma once

#include <functional>
#include <vector>

#include "absl/status/statusor.h"
#include "model/records.h"
#include "storage/engine/view.h"
#include "storage/store.h"

namespace rocksdb {
class DB;
}

// Reading of a view. What cannot be read is reported and left out. Threads: the caller's.
namespace kindling::storage {

absl::StatusOr<ScanReport> ScanView(rocksdb::DB& db, const View& view, const ScanPlan& plan,
                                    const std::function<bool(const model::Batch&)>& visit);

absl::StatusOr<ScanReport> QuerySeriesIn(rocksdb::DB& db, const View& view,
                                         const Store::SeriesQuery& query,
                                         const std::function<bool(const MetricRun&)>& visit);

absl::StatusOr<ScanReport> QueryChunksIn(rocksdb::DB& db, const View& view,
                                         const Store::ChunkQuery& query,
                                         const std::function<bool(const model::Chunk&)>& visit);

absl::StatusOr<std::string> GetContentIn(rocksdb::DB& db, const View& view, const Space& space,
                                         const model::ContentHash& hash);

// A stretch of time and the tier to read it from.
struct TierRange {
  Tier tier = Tier::kSeries10s;
  int64_t start_ns = 0;
  int64_t end_ns = 0;
};

// Divides [start, end) among the roll-ups for a step: whole hours from the hours when the step is
// as long, whole minutes likewise, the rest as it was sent. Where a tier has been dropped the next
// coarser one stands in for its whole windows.
std::vector<TierRange> SeriesRanges(const View& view, int64_t start_ns, int64_t end_ns,
                                    int64_t step_ns);

}  // namespace kindling::storage
