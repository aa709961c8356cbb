#pragma once

#include <rocksdb/db.h>

#include <cstdint>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "storage/engine/block_reader.h"
#include "storage/engine/view.h"
#include "storage/keys.h"

namespace kindling::storage {

// Visits the blocks of one class and space in a stretch of time.
class BlockScan {
 public:
  BlockScan(rocksdb::DB& db, const View& view, Space space, const Cancelled& cancelled)
      : db_(db), view_(view), space_(std::move(space)), cancelled_(cancelled) {}

  // `read` gets the body of each block; it returns an error for what it cannot decode.
  template <typename Read>
  void Each(Tier tier, BlockClass block_class, int64_t start_ns, int64_t end_ns, Read read) {
    damage.AddFaults(view_, tier, start_ns, end_ns);
    for (const auto& bucket : view_.buckets) {
      if (bucket->id.tier != tier || !bucket->id.Overlaps(start_ns, end_ns)) continue;
      for (const auto& block : bucket->blocks) {
        if (stopped) return;
        if (block->key.block_class != block_class || block->key.space != space_) continue;
        if (block->last_ns < start_ns || block->first_ns >= end_ns) continue;
        wanted = StillWanted(cancelled_);
        stopped = !wanted.ok();
        if (stopped) return;
        rocksdb::PinnableSlice body;
        absl::Status status = ReadPart(db_, view_, *bucket, *block, BlockPart::kBody, &body);
        if (status.ok()) status = read(*bucket, *block, body.ToStringView());
        if (!status.ok()) damage.Add(*block, status);
      }
    }
  }

  Damage damage;
  bool stopped = false;
  absl::Status wanted;  // not OK: it has stopped for that

 private:
  rocksdb::DB& db_;
  const View& view_;
  const Space space_;
  const Cancelled& cancelled_;
};

}  // namespace kindling::storage
