#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "model/records.h"

namespace kindling::storage {

// Rows of any record of a batch as columns, in their order (columns.h has the form). For batches on
// their way into blocks, and for classes that are too small to have a block format of their own.
//
// Row is a record of model::Batch. REQUIRES: at most kMaxBlockRows rows.
template <typename Row>
std::string EncodeRows(const std::vector<const Row*>& rows);
// Appends them.
template <typename Row>
void EncodeRows(const std::vector<const Row*>& rows, std::string& out);

// DATA_LOSS when the columns are not sound; never more memory than the limits in columns.h.
template <typename Row>
absl::StatusOr<std::vector<Row>> DecodeRows(std::string_view columns);

}  // namespace kindling::storage
