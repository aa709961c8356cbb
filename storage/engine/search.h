#pragma once

#include "absl/status/statusor.h"
#include "model/records.h"
#include "storage/engine/helper_threads.h"
#include "storage/engine/view.h"
#include "storage/span_search.h"
#include "storage/store.h"

namespace rocksdb {
class DB;
}

namespace kindling::storage {

// Looks for spans in a view, the best rank first. What cannot be read is reported and left out.
//
// Threads: asks and visits on the caller's; `helpers` read blocks for searches that find little.
absl::StatusOr<ScanReport> SearchSpansIn(rocksdb::DB& db, const View& view,
                                         const SpanSearch& search, const SpanVisitor& visit,
                                         HelperThreads& helpers);

// True when a span meets every condition of the search.
bool Meets(const model::Span& span, const SpanSearch& search);

}  // namespace kindling::storage
