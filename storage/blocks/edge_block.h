#pragma once

#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "model/records.h"
#include "storage/blocks/sealed_block.h"
#include "storage/blocks/zstd_dictionaries.h"

// EdgeStats in columns, by series: README.md draws the format.
namespace kindling::storage {

// Rows that a full block has; an encoder takes up to twice as many.
inline constexpr size_t kEdgeBlockRows = 32'768;

// Rows of one block, all of one window length or not. Rows of the same series and window are merged
// into one. The summary holds nothing but the time range; the filter is empty.
SealedBlock EncodeEdgeBlock(std::vector<model::EdgeStats> rows,
                            const ZstdDictionaries& dictionaries);

// DATA_LOSS for bytes that EncodeEdgeBlock cannot have made. `start_ns` and `end_ns` select windows
// by their start.
absl::StatusOr<std::vector<model::EdgeStats>> DecodeEdgeBlock(std::string_view body,
                                                              const ZstdDictionaries& dictionaries,
                                                              int64_t start_ns = INT64_MIN,
                                                              int64_t end_ns = INT64_MAX);

}  // namespace kindling::storage
