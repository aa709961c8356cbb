#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "storage/blocks/sealed_block.h"

namespace kindling::storage {

// What stands before the codec's own summary in a summary's value: version, times, rows and the
// sizes of the block's other values.
struct BlockHeader {
  int64_t first_ns = 0;
  int64_t last_ns = 0;
  uint64_t rows = 0;
  uint64_t filter_bytes = 0;
  uint64_t body_bytes = 0;
};

std::string EncodeSummary(const SealedBlock& block);
// Nothing for bytes that EncodeSummary cannot have made. `summary` is the codec's part.
std::optional<BlockHeader> ParseSummary(std::string_view value, std::string_view* summary);

}  // namespace kindling::storage
