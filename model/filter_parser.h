#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "absl/status/statusor.h"
#include "model/filter_field.h"
#include "model/filter_node.h"

namespace kindling::model {

// Caps of a filter, for it may come from anyone who can reach the query service.
inline constexpr size_t kMaxFilterBytes = 8192;
inline constexpr size_t kMaxFilterTerms = 256;
inline constexpr size_t kMaxFilterDepth = 32;
inline constexpr size_t kMaxFilterPatterns = 8;
inline constexpr size_t kMaxFilterPatternBytes = 512;

// Failure: InvalidArgument "column C: what was expected, found ...".
absl::StatusOr<FilterNode> ParseFilter(std::string_view text, std::optional<RecordKind> kind);

}  // namespace kindling::model
