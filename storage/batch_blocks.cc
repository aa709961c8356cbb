#include "storage/batch_blocks.h"

#include <algorithm>
#include <map>

#include "storage/block.h"
#include "storage/columns.h"
#include "storage/keys.h"

namespace kindling::storage {
namespace {

template <typename Row>
void AddBlocks(const model::Batch& batch, Table table, const std::vector<Row>& rows,
               int64_t bucket_ns, std::vector<KeyedBlock>& out) {
  std::map<int64_t, std::vector<const Row*>> buckets;
  for (const Row& row : rows) buckets[BucketOf(TimeOf(row), bucket_ns)].push_back(&row);

  BlockKey key{.space = {table, batch.tenant, batch.cluster},
               .agent_id = batch.id.agent_id,
               .boot_epoch = batch.id.boot_epoch,
               .sequence = batch.id.sequence};
  for (const auto& [bucket, members] : buckets) {
    key.bucket_start_ns = bucket;
    for (key.part = 0; key.part * kMaxBlockRows < members.size(); ++key.part) {
      const auto begin = members.begin() + static_cast<ptrdiff_t>(key.part * kMaxBlockRows);
      const auto left = static_cast<size_t>(members.end() - begin);
      const std::vector<const Row*> part(
          begin, begin + static_cast<ptrdiff_t>(std::min(left, kMaxBlockRows)));
      const auto [first, last] =
          std::minmax_element(part.begin(), part.end(),
                              [](const Row* a, const Row* b) { return TimeOf(*a) < TimeOf(*b); });
      key.first_ns = TimeOf(**first);
      key.last_ns = TimeOf(**last);
      out.push_back({key.Encode(), EncodeBlock(part)});
    }
  }
}

}  // namespace

int64_t BucketOf(int64_t time_ns, int64_t bucket_ns) {
  const int64_t rest = time_ns % bucket_ns;
  const int64_t into = rest < 0 ? rest + bucket_ns : rest;
  // The first bucket of all would begin before the first time there is.
  return time_ns < INT64_MIN + into ? INT64_MIN : time_ns - into;
}

std::vector<KeyedBlock> MakeBlocks(const model::Batch& batch, int64_t bucket_ns) {
  std::vector<KeyedBlock> out;
  AddBlocks(batch, Table::kSpans, batch.spans, bucket_ns, out);
  AddBlocks(batch, Table::kEdges, batch.edges, bucket_ns, out);
  AddBlocks(batch, Table::kProcesses, batch.processes, bucket_ns, out);
  AddBlocks(batch, Table::kLosses, batch.losses, bucket_ns, out);
  return out;
}

}  // namespace kindling::storage
