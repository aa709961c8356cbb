#pragma once

#include <cstdint>
#include <vector>

#include "model/records.h"
#include "storage/align.h"
#include "storage/blocks/edge_series.h"
#include "storage/blocks/metric_block.h"

// Sums over longer windows. Associative: rolling up parts and then their sums gives the same, so
// that a window may be stored in any number of parts. Only MetricWindow::sum is rounded: see
// MergeWindow. The order of what is given decides nothing but the order of the result.
namespace kindling::storage {

// Rows of windows of `step_ns`, aligned to it, one for each series and window, in order.
// Rows whose window is already as long are merged. A row whose window is longer is passed on as it
// is, and merged only with one of the same window: it cannot be divided, and to leave it out would
// be to lose it. A window that crosses an end of a step counts where it begins.
std::vector<EdgeRow> RollUpEdges(const std::vector<EdgeRow>& rows, size_t series, int64_t step_ns,
                                 EdgeSums& sums);
// The same with their names.
std::vector<model::EdgeStats> RollUpEdges(const std::vector<model::EdgeStats>& rows,
                                          int64_t step_ns);

// Who called whom, how often and how much of it was lost, without what was asked: the rows of one
// window and the same observer, ends, protocol and transport in one, with none of the other
// columns.
std::vector<model::EdgeStats> FlowsOf(const std::vector<EdgeRow>& rows, const EdgeSeries& series);

// The same of windows of metrics, which do not say how long they are: roll up only to steps that
// are as long as or longer than what is given. By series and time.
std::vector<MetricRun> RollUpMetrics(const std::vector<MetricRun>& runs, int64_t step_ns);

}  // namespace kindling::storage
