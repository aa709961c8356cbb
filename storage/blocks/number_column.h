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
  const std::vector<uint32_t>* of_value = nullptr;
  uint32_t count = 1;
  // Whether a value may be near the last one of its context; only the encoder asks.
  bool has_steps = false;
};

// Section numbers that one column takes: number * kSectionsPerColumn and on.
inline constexpr uint32_t kSectionsPerColumn = 4;

// The encoder takes the best of `contexts`; the decoder must be given the same.
void EncodeNumberColumn(FrameWriter& frame, uint32_t number, const std::vector<uint64_t>& values,
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
