#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "model/records.h"
#include "storage/blocks/edge_series.h"
#include "storage/blocks/flow_ends.h"
#include "storage/blocks/sealed_block.h"
#include "storage/blocks/zstd_dictionaries.h"
#include "storage/flow_run.h"

// EdgeStats in columns, by series: README.md draws the format.
namespace kindling::storage {

// Rows that a full block has; an encoder takes up to twice as many.
inline constexpr size_t kEdgeBlockRows = 32'768;

// Rows of one block, all of one window length or not, at most 2 * kEdgeBlockRows once those of the
// same series and window are merged into one. The summary holds nothing but the time range and the
// number of rows; the filter is empty. A histogram comes back without zero counts at its ends; one
// whose counts add up to more than 2^64 - 1 is cut to that.
SealedBlock EncodeEdgeBlock(const std::vector<model::EdgeStats>& rows,
                            const ZstdDictionaries& dictionaries);
// The same of rows that are in order and joined, after series.Sort(): JoinEdgeRows.
SealedBlock EncodeEdgeBlock(const EdgeSeries& series, std::span<const EdgeRow> rows,
                            const ZstdDictionaries& dictionaries);

// Gives the rows with start_ns <= window_start_ns < end_ns (INT64_MAX included if that is the end)
// one after another, by series and then by time; the visitor may move them away, and returns false
// to stop. DATA_LOSS for bytes that EncodeEdgeBlock cannot have made, perhaps after some rows.
//
// Limits: holds the series, at most kMaxEdgeBlockTextBytes of texts, and the times of one series.
using EdgeVisitor = std::function<bool(model::EdgeStats& row)>;
absl::Status ReadEdgeBlock(std::string_view body, const ZstdDictionaries& dictionaries,
                           int64_t start_ns, int64_t end_ns, const EdgeVisitor& visit);
// The same rows as flows, by number in `ends`, a series after another; texts and numbers of other
// columns are not copied.
using FlowVisitor = std::function<bool(uint32_t flow, std::span<const FlowRow> rows)>;
absl::Status ReadFlows(std::string_view body, const ZstdDictionaries& dictionaries,
                       int64_t start_ns, int64_t end_ns, FlowEnds& ends, const FlowVisitor& visit);

// All of these at once. Limits: also kMaxEdgeBlockTextBytes for the texts of all rows, and what
// 2 * kEdgeBlockRows rows take, histograms of 8 KiB at most each.
absl::StatusOr<std::vector<model::EdgeStats>> DecodeEdgeBlock(std::string_view body,
                                                              const ZstdDictionaries& dictionaries,
                                                              int64_t start_ns = INT64_MIN,
                                                              int64_t end_ns = INT64_MAX);

inline constexpr size_t kMaxEdgeBlockTextBytes = size_t{256} << 20;

}  // namespace kindling::storage
