#pragma once

#include <rocksdb/slice.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>

#include "absl/status/statusor.h"
#include "storage/blocks/span_block.h"
#include "storage/engine/view.h"

namespace rocksdb {
class DB;
}

namespace kindling::storage {

// The body of a block, read and opened.
//
// Lifetime: the database and the view must outlive this.
struct OpenSpanBlock {
  rocksdb::PinnableSlice body;
  std::optional<SpanBlock> block;  // of the body

  static absl::StatusOr<std::unique_ptr<OpenSpanBlock>> Read(rocksdb::DB& db, const View& view,
                                                             const Bucket& bucket,
                                                             const Block& block);
};

// Blocks of one view that a search, or several questions, have opened: those used last.
//
// Lifetime: as theirs.
// Threads:  one at a time.
// Limits:   kMost blocks.
class OpenSpanBlocks {
 public:
  static constexpr size_t kMost = 16;

  // Lifetime of what is returned: until the next call.
  absl::StatusOr<SpanBlock*> Open(rocksdb::DB& db, const View& view, const Bucket& bucket,
                                  const Block& block);
  // Gives away a block that is open, null when it is not; and takes one.
  std::unique_ptr<OpenSpanBlock> Take(const Block& block);
  SpanBlock* Put(const Block& block, std::unique_ptr<OpenSpanBlock> opened);

 private:
  struct Kept {
    std::unique_ptr<OpenSpanBlock> block;
    uint64_t used = 0;  // when last: a number that only grows
  };
  std::map<uint64_t, Kept> blocks_;  // by number
  uint64_t uses_ = 0;
};

}  // namespace kindling::storage
