#pragma once

#include <cstdint>
#include <vector>

#include "storage/blocks/number_model.h"

namespace kindling::storage {

// A column of small numbers that stand for something else: texts, parties, sets of labels. In a
// sorted table each is mostly the one before, what followed it the last time, or the next new one.
//
// Limits: numbers below `size`, which it holds four bytes for.
class IdColumn {
 public:
  explicit IdColumn(uint32_t size) : size_(size), followers_(size, size) {}

  // REQUIRES: size > 0 and value < size. The decoder fails rather than to return more.
  template <typename Coder>
  uint32_t Code(Coder& coder, uint32_t value) {
    const uint32_t follower = followers_[last_];
    int kind = kOther;
    if constexpr (!Coder::kDecodes) {
      if (value == last_) {
        kind = kSame;
      } else if (value == follower) {
        kind = kFollower;
      } else if (value == next_) {
        kind = kNext;
      }
    }
    // Three decisions, one after the other, under what was last.
    BitModel* models = kinds_[last_kind_ * 2 + (follower < size_)];
    if (!coder.Bit(models[0], kind != kSame)) {
      kind = kSame;
      value = last_;
    } else if (!coder.Bit(models[1], kind != kFollower)) {
      kind = kFollower;
      value = follower;
    } else if (!coder.Bit(models[2], kind != kNext)) {
      kind = kNext;
      value = next_;
    } else {
      kind = kOther;
      value = CodeOther(coder, value);
    }
    if (value >= size_) {
      coder.Fail();
      value = 0;
    }
    if (value != last_) followers_[last_] = value;
    last_ = value;
    next_ = std::max(next_, value + 1);
    last_kind_ = kind;
    return value;
  }

 private:
  enum Kind { kSame, kFollower, kNext, kOther };

  // By its distance above the last, around the end of the table.
  template <typename Coder>
  uint32_t CodeOther(Coder& coder, uint32_t value) {
    const uint64_t distance = value >= last_ ? value - last_ : uint64_t{value} + size_ - last_;
    const uint64_t coded = others_.Code(coder, last_kind_, distance);
    return static_cast<uint32_t>((last_ + coded) % size_);
  }

  const uint32_t size_;
  uint32_t last_ = 0;
  uint32_t next_ = 0;
  int last_kind_ = kOther;
  std::vector<uint32_t> followers_;
  BitModel kinds_[8][3];
  NumberModel<4> others_;
};

}  // namespace kindling::storage
