#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "model/records.h"
#include "storage/blocks/span_block.h"
#include "storage/engine/view.h"
#include "storage/span_search.h"
#include "storage/store.h"

namespace rocksdb {
class DB;
}

// Looking for spans in a view. What cannot be read is reported and left out. Threads: the caller's.
namespace kindling::storage {

absl::StatusOr<ScanReport> SearchSpansIn(rocksdb::DB& db, const View& view,
                                         const SpanSearch& search, const SpanVisitor& visit);

// Blocks that a search, or questions about one view, have opened: those used last.
//
// Lifetime: the database and the view must outlive this.
// Limits:   kMost blocks.
class OpenSpanBlocks {
 public:
  static constexpr size_t kMost = 16;

  OpenSpanBlocks();
  ~OpenSpanBlocks();
  OpenSpanBlocks(const OpenSpanBlocks&) = delete;
  OpenSpanBlocks& operator=(const OpenSpanBlocks&) = delete;

  // Lifetime of what is returned: until the next call.
  absl::StatusOr<SpanBlock*> Open(rocksdb::DB& db, const View& view, const Bucket& bucket,
                                  const Block& block);

 private:
  struct Opened;
  std::map<uint64_t, std::unique_ptr<Opened>> blocks_;  // by number
  uint64_t uses_ = 0;
};

absl::StatusOr<ScanReport> FindSpansIn(rocksdb::DB& db, const View& view, const Store::SpanIds& ids,
                                       OpenSpanBlocks& blocks, std::vector<model::Span>* spans);

// True when a span meets every condition of the search.
bool Meets(const model::Span& span, const SpanSearch& search);

}  // namespace kindling::storage
