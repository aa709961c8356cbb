#include "storage/engine/flow_scan.h"

#include <algorithm>
#include <span>
#include <string_view>

#include "storage/blocks/edge_block.h"
#include "storage/blocks/flow_ends.h"
#include "storage/engine/block_scan.h"
#include "storage/engine/scan.h"

namespace kindling::storage {
namespace {

constexpr int64_t kMinuteNs = 60'000'000'000;
// That are held at once; flows that come again after that many get another number.
constexpr size_t kMaxFlows = 200'000;

}  // namespace

absl::StatusOr<ScanReport> QueryFlowsIn(rocksdb::DB& db, const View& view,
                                        const Store::FlowQuery& query,
                                        const std::function<bool(const FlowRun&)>& visit) {
  const Space space{query.tenant, query.cluster};
  FlowEnds ends;
  BlockScan blocks(db, view, space, query.cancelled);
  const auto give = [&](uint32_t flow, std::span<const FlowRow> rows) {
    blocks.stopped = !visit({.flow = flow, .ends = ends[flow], .rows = rows});
    return !blocks.stopped;
  };
  const int64_t step_ns = std::max(query.step_ns, kMinuteNs);
  for (const TierRange& range : SeriesRanges(view, query.start_ns, query.end_ns, step_ns)) {
    const BlockClass block_class =
        range.tier == Tier::kSeries10s ? BlockClass::kEdges : BlockClass::kFlows;
    blocks.Each(range.tier, block_class, range.start_ns, range.end_ns,
                [&](const Bucket&, const Block&, std::string_view body) {
                  if (ends.size() > kMaxFlows) ends.Forget();
                  return ReadFlows(body, *view.dictionaries, range.start_ns, range.end_ns, ends,
                                   give);
                });
  }
  for (const UnsealedBatch& unsealed : view.unsealed) {
    const model::Batch& batch = *unsealed.batch;
    if (batch.tenant != query.tenant || batch.cluster != query.cluster) continue;
    for (const model::EdgeStats& row : batch.edges) {
      if (blocks.stopped) break;
      if (ends.size() > kMaxFlows) ends.Forget();
      const int64_t time_ns = row.window_start_ns;
      if (time_ns < query.start_ns || time_ns >= query.end_ns ||
          !view.Keeps(Tier::kSeries10s, time_ns)) {
        continue;
      }
      const FlowRow flow = FlowRowOf(row);
      give(ends.Flow(row), {&flow, 1});
    }
  }
  if (!blocks.wanted.ok()) return blocks.wanted;
  return blocks.damage.Take();
}

}  // namespace kindling::storage
