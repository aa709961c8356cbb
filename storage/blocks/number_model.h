#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>

#include "storage/blocks/range_coder.h"
#include "storage/varint.h"

// How numbers of one column are coded with a RangeEncoder or read with a RangeDecoder.
namespace kindling::storage {

// 0 for 0, else 1 + the position of the highest bit.
inline int BitLength(uint64_t value) { return static_cast<int>(std::bit_width(value)); }

// A number as its length in bits, by a tree of six decisions under one of `kContexts` contexts, the
// two bits below its highest by length, and the rest as they are.
template <int kContexts>
class NumberModel {
 public:
  template <typename Coder>
  uint64_t Code(Coder& coder, int context, uint64_t value) {
    const int length = CodeLength(coder, context, std::min(BitLength(value), kLongest));
    if (length < 2) return static_cast<uint64_t>(length);
    if (length == kLongest) return coder.Direct(value, 64);
    int rest = length - 1;
    uint64_t bits = 1;
    int node = 1;
    for (int i = 0; i < 2 && rest > 0; ++i) {
      --rest;
      const bool bit = coder.Bit(mantissas_[length * 4 + node], (value >> rest) & 1);
      bits = bits << 1 | bit;
      node = node << 1 | bit;
    }
    return bits << rest | coder.Direct(value & ((uint64_t{1} << rest) - 1), rest);
  }

 private:
  // Numbers of 63 and of 64 bits; these are written whole.
  static constexpr int kLongest = 63;

  template <typename Coder>
  int CodeLength(Coder& coder, int context, int length) {
    int node = 1;
    for (int i = 5; i >= 0; --i) {
      node =
          node << 1 | static_cast<int>(coder.Bit(lengths_[context * 64 + node], (length >> i) & 1));
    }
    return node - 64;
  }

  std::array<BitModel, kContexts * 64> lengths_;
  std::array<BitModel, 64 * 4> mantissas_;
};

// What one series knows of the sizes of its numbers in a column.
struct NumberLevel {
  int level = -1;  // 16 times the usual length; -1: none yet
};

// Numbers whose size follows the ones before. The first of a series has contexts of its own.
class LevelModel {
 public:
  template <typename Coder>
  uint64_t Code(Coder& coder, NumberLevel& state, uint64_t value) {
    const int context = state.level < 0 ? kContexts - 1 : (state.level + 8) >> 4;
    value = model_.Code(coder, context, value);
    const int length = 16 * BitLength(value);
    // The second differs from the first about as the root of it, if it counts something.
    if (state.level < 0) {
      state.level = length / 2;
    } else {
      state.level += (length - state.level) / 4;
    }
    return value;
  }

  // The difference to what was expected, modulo 2^64.
  template <typename Coder>
  uint64_t CodeNear(Coder& coder, NumberLevel& state, uint64_t expected, uint64_t value) {
    const uint64_t bits = Code(coder, state, ZigZag(static_cast<int64_t>(value - expected)));
    return expected + static_cast<uint64_t>(UnZigZag(bits));
  }

 private:
  static constexpr int kContexts = 66;  // lengths 0 .. 64, and none
  NumberModel<kContexts> model_;
};

// Expects the mean of what came before.
class MeanPredictor {
 public:
  uint64_t Expect() const { return static_cast<uint64_t>((mean_ + 128) >> 8); }
  void Add(uint64_t value) {
    const int64_t clipped =
        std::clamp(static_cast<int64_t>(value), -(int64_t{1} << 53), int64_t{1} << 53);
    count_ = std::min(count_ + 1, 32);
    mean_ += (clipped * 256 - mean_) / count_;
  }

 private:
  int64_t mean_ = 0;  // 256 times
  int count_ = 0;
};

// Expects `per * ratio`, by the ratio of what came before.
class RatioPredictor {
 public:
  uint64_t Expect(uint64_t per) const {
    if (below_ == 0) return 0;
    const unsigned __int128 ratio = (above_ << 16) / below_;
    return static_cast<uint64_t>(ratio * std::min(per, kMost) >> 16);
  }
  void Add(uint64_t per, uint64_t value) {
    above_ += std::min(value, kMost) - above_ / 16;
    below_ += std::min(per, kMost) - below_ / 16;
    while (above_ > kMost) {
      above_ /= 2;
      below_ = (below_ + 1) / 2;
    }
  }

 private:
  static constexpr uint64_t kMost = uint64_t{1} << 47;
  uint64_t above_ = 0;
  uint64_t below_ = 0;
};

}  // namespace kindling::storage
