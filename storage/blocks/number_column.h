#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "storage/blocks/frame.h"

// A column of numbers as sections of a frame. The encoder tries what README.md describes under
// "Number columns" and writes what it estimates to be smallest; a column of zeros takes nothing.
namespace kindling::storage {

// What a column's values depend on: a number for each of its values, below `count`. Values seen
// once in a context are cheap to repeat in it.
struct ColumnContext {
  std::span<const uint32_t> of_value;
  uint32_t count = 1;
  // Whether a value may be near the last one of its context; only the encoder asks.
  bool has_steps = false;
  // If there is any, of_value is by row, and this is the row of each value.
  std::span<const uint32_t> row_of_value;

  uint32_t Of(size_t value) const {
    if (of_value.empty()) return 0;
    return of_value[row_of_value.empty() ? value : row_of_value[value]];
  }
};

// Section numbers that one column takes: number * kSectionsPerColumn and on.
inline constexpr uint32_t kSectionsPerColumn = 4;

// The encoder takes the best of `contexts`; the decoder must be given the same.
void EncodeNumberColumn(FrameWriter& frame, uint32_t number, std::span<const uint64_t> values,
                        std::span<const ColumnContext> contexts = {});

// False: damaged. `values` then means nothing.
[[nodiscard]] bool DecodeNumberColumn(const FrameReader& frame, uint32_t number, size_t count,
                                      std::vector<uint64_t>& values,
                                      std::span<const ColumnContext> contexts = {});

// True when every value of the column is zero.
inline bool IsZeroColumn(const FrameReader& frame, uint32_t number) {
  return !frame.Has(number * kSectionsPerColumn);
}

}  // namespace kindling::storage
