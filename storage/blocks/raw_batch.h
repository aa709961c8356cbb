#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "model/records.h"

namespace kindling::storage {

// A whole batch as it is made durable before it is sealed. Layout:
//
//   "R" version 0 0 | checksum of what follows, little-endian | header | sections
//   header:  agent id, tenant, cluster as varint length and bytes; boot epoch, sequence, rule
//            version as varints; first and last time in zigzag
//   section: record class | varint size | columns (row_columns.h), at most kMaxBlockRows rows; a
//            class with more rows has several
std::string EncodeRawBatch(const model::Batch& batch);

// DATA_LOSS when the bytes are not a sound batch.
absl::StatusOr<model::Batch> DecodeRawBatch(std::string_view bytes);

}  // namespace kindling::storage
