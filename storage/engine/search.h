#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "model/records.h"
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

absl::StatusOr<ScanReport> FindSpansIn(rocksdb::DB& db, const View& view, const Store::SpanIds& ids,
                                       std::vector<model::Span>* spans);

// True when a span meets every condition of the search.
bool Meets(const model::Span& span, const SpanSearch& search);

}  // namespace kindling::storage
