#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

// Numbers as a class each, which says how large a number is, and the bits below. The classes of
// like numbers are alike and compress well; the bits are noise and are kept as they are.
namespace kindling::storage {

struct Magnitudes {
  std::string classes;    // one byte each
  std::string bits;       // low bits first
  double estimated_bits;  // of both once compressed
};

Magnitudes ToMagnitudes(std::span<const uint64_t> values);

// As ToMagnitudes, its estimate alone.
double EstimateMagnitudeBits(std::span<const uint64_t> values);

// False when `bits` is not what the classes ask for.
[[nodiscard]] bool FromMagnitudes(std::string_view classes, std::string_view bits,
                                  std::vector<uint64_t>& values);

// Bits that an ideal coder of single bytes would need for `bytes`.
double EntropyBits(std::string_view bytes);

}  // namespace kindling::storage
