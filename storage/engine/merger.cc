#include "storage/engine/merger.h"

#include <rocksdb/db.h>

#include <map>
#include <set>
#include <utility>

#include "storage/blocks/edge_block.h"
#include "storage/blocks/row_block.h"
#include "storage/blocks/span_block.h"
#include "storage/columns.h"
#include "storage/engine/block_reader.h"

namespace kindling::storage {
namespace {

constexpr size_t kManyBlocks = 16;

uint64_t FullRows(BlockClass block_class) {
  switch (block_class) {
    case BlockClass::kSpans:
      return kSpanBlockRows;
    case BlockClass::kEdges:
    case BlockClass::kFlows:
      return kEdgeBlockRows;
    case BlockClass::kMetrics:
      return kMetricBlockPoints;
    case BlockClass::kProcesses:
    case BlockClass::kLosses:
      return kMaxBlockRows;
  }
  return 1;
}

void AliasKeysOf(const Block& block, const std::vector<model::Span>& rows,
                 std::vector<std::string>& out) {
  std::set<uint64_t> hashes;
  for (const model::Span& span : rows) {
    if (span.alias_trace_id != model::TraceId{}) hashes.insert(AliasHash(span.alias_trace_id));
  }
  for (const uint64_t hash : hashes) {
    out.push_back(AliasKey{block.key.space, hash, block.key.number}.Encode());
  }
}

// Decodes every block of a merge and hands all rows to `add`.
template <typename Row, typename Decode, typename Each, typename Add>
absl::Status Gather(rocksdb::DB& db, const View& view, const Merge& merge, MergeWrite& out,
                    Decode decode, Each each, Add add) {
  std::vector<Row> all;
  for (const auto& block : merge.blocks) {
    rocksdb::PinnableSlice body;
    absl::Status status = ReadPart(db, view, *merge.bucket, *block, BlockPart::kBody, &body);
    if (status.ok()) {
      absl::StatusOr<std::vector<Row>> rows = decode(body.ToStringView());
      status = rows.status();
      if (rows.ok()) {
        each(*block, *rows);
        std::move(rows->begin(), rows->end(), std::back_inserter(all));
      }
    }
    if (!status.ok()) {
      out.damaged = block;
      return absl::DataLossError(BlockFault(*block, status));
    }
  }
  add(std::move(all));
  return absl::OkStatus();
}

}  // namespace

std::optional<Merge> ChooseMerge(const View& view, int64_t quiet_before_ns) {
  for (const auto& bucket : view.buckets) {
    const size_t enough = bucket->written_ns < quiet_before_ns ? 2 : kManyBlocks;
    if (bucket->blocks.size() < enough) continue;
    std::map<std::pair<Space, BlockClass>, Merge> small;
    std::map<std::pair<Space, BlockClass>, uint64_t> rows;
    for (const auto& block : bucket->blocks) {
      const std::pair key(block->key.space, block->key.block_class);
      const uint64_t full = FullRows(key.second);
      if (block->unmergeable || block->rows >= full / 2) continue;
      uint64_t& sum = rows[key];
      if (sum + block->rows > 2 * full) continue;
      sum += block->rows;
      small[key].blocks.push_back(block);
    }
    for (auto& [key, merge] : small) {
      if (merge.blocks.size() < enough) continue;
      merge.bucket = bucket;
      return std::move(merge);
    }
  }
  return std::nullopt;
}

absl::StatusOr<MergeWrite> MergeBlocks(rocksdb::DB& db, const View& view, const Merge& merge,
                                       BlockWriter& writer) {
  MergeWrite out;
  const Space& space = merge.blocks.front()->key.space;
  const ZstdDictionaries& dictionaries = *view.dictionaries;
  const auto nothing = [](const Block&, const auto&) {};
  absl::Status status;
  switch (merge.blocks.front()->key.block_class) {
    case BlockClass::kSpans:
      status = Gather<model::Span>(
          db, view, merge, out,
          [&](std::string_view body) -> absl::StatusOr<std::vector<model::Span>> {
            absl::StatusOr<SpanBlock> block = SpanBlock::Open(body, dictionaries);
            if (!block.ok()) return block.status();
            return block->Decode();
          },
          [&](const Block& block, const std::vector<model::Span>& rows) {
            AliasKeysOf(block, rows, out.deleted);
          },
          [&](const std::vector<model::Span>& rows) {
            std::vector<const model::Span*> pointers;
            pointers.reserve(rows.size());
            for (const model::Span& row : rows) pointers.push_back(&row);
            writer.AddSpans(space, std::move(pointers), out.added);
          });
      break;
    case BlockClass::kEdges:
    case BlockClass::kFlows:
      status = Gather<model::EdgeStats>(
          db, view, merge, out,
          [&](std::string_view body) { return DecodeEdgeBlock(body, dictionaries); }, nothing,
          [&](const auto& rows) {
            writer.AddEdges(space, merge.blocks.front()->key.block_class, rows, out.added);
          });
      break;
    case BlockClass::kMetrics:
      status = Gather<MetricRun>(
          db, view, merge, out,
          [&](std::string_view body) { return DecodeMetricBlock(body, dictionaries); }, nothing,
          [&](auto runs) { writer.AddMetrics(space, std::move(runs), out.added); });
      break;
    case BlockClass::kProcesses:
      status = Gather<model::ProcessEvent>(
          db, view, merge, out,
          [](std::string_view body) { return DecodeBlock<model::ProcessEvent>(body); }, nothing,
          [&](auto rows) { writer.AddProcesses(space, std::move(rows), out.added); });
      break;
    case BlockClass::kLosses:
      status = Gather<model::Loss>(
          db, view, merge, out,
          [](std::string_view body) { return DecodeBlock<model::Loss>(body); }, nothing,
          [&](auto rows) { writer.AddLosses(space, std::move(rows), out.added); });
      break;
  }
  if (!status.ok()) {
    if (out.damaged == nullptr) return status;
    out.added = {};
    out.deleted.clear();
    return out;
  }
  for (const auto& block : merge.blocks) {
    for (const BlockPart part : {BlockPart::kSummary, BlockPart::kFilter, BlockPart::kBody}) {
      if (part == BlockPart::kFilter && !block->has_filter) continue;
      out.deleted.push_back(block->KeyOf(part));
    }
  }
  return out;
}

}  // namespace kindling::storage
