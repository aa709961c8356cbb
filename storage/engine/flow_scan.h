#pragma once

#include <functional>

#include "absl/status/statusor.h"
#include "storage/engine/view.h"
#include "storage/store.h"

namespace rocksdb {
class DB;
}

namespace kindling::storage {

// Store::QueryFlows in a view. Threads: the caller's.
absl::StatusOr<ScanReport> QueryFlowsIn(rocksdb::DB& db, const View& view,
                                        const Store::FlowQuery& query,
                                        const std::function<bool(const FlowRun&)>& visit);

}  // namespace kindling::storage
