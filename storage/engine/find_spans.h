#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "model/records.h"
#include "storage/engine/open_span_blocks.h"
#include "storage/engine/view.h"
#include "storage/store.h"

namespace rocksdb {
class DB;
}

namespace kindling::storage {

// Appends the spans of a view that have one of the ids. What cannot be read is reported and left
// out. Threads: the caller's.
absl::StatusOr<ScanReport> FindSpansIn(rocksdb::DB& db, const View& view, const Store::SpanIds& ids,
                                       OpenSpanBlocks& blocks, std::vector<model::Span>* spans);

}  // namespace kindling::storage
