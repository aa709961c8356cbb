#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "model/records.h"

namespace kindling::storage {

// Blocks of the rare classes, rows as they come. Layout (README.md has the picture):
//
//   "K" version class 0 | checksum of what follows, little-endian | varint raw size | zstd(columns)

// Row is model::ProcessEvent or Loss. REQUIRES: at most kMaxBlockRows rows.
template <typename Row>
std::string EncodeBlock(const std::vector<const Row*>& rows);

// DataLoss when the bytes are not a sound block of this record class; never more memory than the
// limits in columns.h.
template <typename Row>
absl::StatusOr<std::vector<Row>> DecodeBlock(std::string_view bytes);

}  // namespace kindling::storage
