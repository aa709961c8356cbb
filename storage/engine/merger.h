#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "storage/engine/sealer.h"
#include "storage/engine/view.h"

namespace rocksdb {
class DB;
}

// Many small blocks into few large ones.
namespace kindling::storage {

struct Merge {
  std::shared_ptr<const Bucket> bucket;
  std::vector<std::shared_ptr<const Block>> blocks;  // of one space and class, at least two
};

// Small blocks that are worth merging: many of them, or any in a bucket that has not been written
// to since `quiet_before_ns`. A block is small while it is less than half full.
std::optional<Merge> ChooseMerge(const View& view, int64_t quiet_before_ns);

// The new blocks of a merge, and the keys of the old ones' values. DATA_LOSS names the block that
// cannot be read: it is left alone.
struct MergeWrite {
  BucketWrite added;
  std::vector<std::string> deleted;
  std::shared_ptr<const Block> damaged;  // when the merge cannot be done for it
};
absl::StatusOr<MergeWrite> MergeBlocks(rocksdb::DB& db, const View& view, const Merge& merge,
                                       BlockWriter& writer);

}  // namespace kindling::storage
