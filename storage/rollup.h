#pragma once

#include <cstdint>
#include <vector>

#include "model/records.h"
#include "storage/blocks/metric_block.h"

// Sums over longer windows. Associative: rolling up parts and then their sums gives the same, so
// that a window may be stored in any number of parts.
namespace kindling::storage {

// Rows of windows of `step_ns`, aligned to it, one for each series and window. Rows whose window is
// already as long are merged.
std::vector<model::EdgeStats> RollUpEdges(const std::vector<model::EdgeStats>& rows,
                                          int64_t step_ns);

std::vector<MetricRun> RollUpMetrics(const std::vector<MetricRun>& runs, int64_t step_ns);

}  // namespace kindling::storage
