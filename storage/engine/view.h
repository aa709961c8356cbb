#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "model/records.h"
#include "storage/blocks/span_block.h"
#include "storage/blocks/zstd_dictionaries.h"
#include "storage/engine/bucket_id.h"
#include "storage/engine/families.h"
#include "storage/engine/faults.h"
#include "storage/keys.h"

namespace rocksdb {
class Snapshot;
}

// What a store holds at one moment, immutable. A query takes the current view and sees nothing of
// what sealing, merging and retention do meanwhile: no record twice and none missing.
namespace kindling::storage {

struct Block {
  BlockKey key;  // of its summary
  int64_t first_ns = 0;
  int64_t last_ns = 0;
  uint64_t rows = 0;
  uint64_t bytes = 0;  // of its values
  bool has_filter = false;
  bool unmergeable = false;          // its body is damaged: merging would lose what is left of it
  std::optional<SpanSummary> spans;  // of spans, when it could be read

  std::string KeyOf(BlockPart part) const {
    BlockKey out = key;
    out.part = part;
    return out.Encode();
  }
};

struct Bucket {
  BucketId id;
  std::shared_ptr<const Family> family;
  std::vector<std::shared_ptr<const Block>> blocks;  // by number
  uint64_t bytes = 0;                                // of the blocks
  uint64_t rows = 0;
  uint64_t dead_bytes = 0;  // of blocks that merging has replaced and compaction not yet removed
  int64_t written_ns = 0;   // of the last write since the store was opened; monotonic
  // Not all of it can be read: what is added may be lost behind that, and compaction would fail.
  bool damaged = false;
};

// A batch that is durable as it came, and readable from here until it is sealed.
struct UnsealedBatch {
  uint64_t arrival = 0;    // its RawBatchKey
  uint64_t bytes = 0;      // as stored
  int64_t arrived_ns = 0;  // monotonic
  std::shared_ptr<const model::Batch> batch;
  uint64_t memory_bytes = 0;  // of the batch

  // All but spans.
  uint64_t other_rows() const {
    return batch->edges.size() + batch->points.size() + batch->processes.size() +
           batch->losses.size() + batch->chunks.size() + batch->contents.size();
  }
};

struct View {
  std::shared_ptr<const rocksdb::Snapshot> snapshot;
  std::vector<std::shared_ptr<const Bucket>> buckets;  // by id
  std::vector<UnsealedBatch> unsealed;                 // by arrival
  std::shared_ptr<const ZstdDictionaries> dictionaries;
  // By tier: records older than this have been dropped.
  std::array<int64_t, kTierCount> dropped_before_ns{};
  // Records later than this are refused: no clock is that far ahead.
  int64_t not_after_ns = INT64_MAX;
  std::vector<Fault> faults;  // what could not be read when the store was opened

  bool Keeps(Tier tier, int64_t time_ns) const {
    return dropped_before_ns[static_cast<size_t>(tier)] <= time_ns && time_ns <= not_after_ns;
  }
  // True when nothing that the fault is of would still be kept.
  bool IsPast(const Fault& fault) const {
    return std::all_of(std::begin(kTiers), std::end(kTiers), [&](Tier tier) {
      return (fault.tier && *fault.tier != tier) ||
             fault.end_ns <= dropped_before_ns[static_cast<size_t>(tier)];
    });
  }
};

}  // namespace kindling::storage
