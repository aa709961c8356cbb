#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <string>
#include <string_view>

// An adaptive binary range coder, carries as in LZMA's. README.md, "Number streams", describes it.
//
// Encoder and decoder have the same face: what describes a stream is written once, as a template
// over the coder. A call is given the value and returns it; the decoder looks at no argument and
// returns what it reads.
namespace kindling::storage {

// Probability that the next bit here is 0, in 1/65536, and how many were seen: it follows quickly
// at first and slowly later.
struct BitModel {
  uint16_t zero = 32'768;
  uint16_t seen = 0;

  static constexpr int kLimit = 126;
  static constexpr int32_t kMargin = 48;

  void Update(bool bit) {
    const int32_t target = bit ? kMargin : 65'536 - kMargin;
    zero = static_cast<uint16_t>(zero + (((target - zero) * kRates[seen]) >> 16));
    seen = static_cast<uint16_t>(std::min(seen + 1, kLimit));
  }

 private:
  static constexpr std::array<int32_t, kLimit + 1> MakeRates() {
    std::array<int32_t, kLimit + 1> rates{};
    for (int i = 0; i <= kLimit; ++i) rates[i] = 2 * 32'767 / (2 * i + 3);
    return rates;
  }
  static const std::array<int32_t, kLimit + 1> kRates;
};
inline constexpr std::array<int32_t, BitModel::kLimit + 1> BitModel::kRates = BitModel::MakeRates();

inline constexpr uint32_t kRangeFloor = uint32_t{1} << 24;
// Bits that one division takes; the range keeps at least 8.
inline constexpr int kDirectBits = 16;

class RangeEncoder {
 public:
  static constexpr bool kDecodes = false;

  [[gnu::always_inline]] bool Bit(BitModel& model, bool bit) {
    const uint32_t bound = (range_ >> 16) * model.zero;
    if (bit) {
      low_ += bound;
      range_ -= bound;
    } else {
      range_ = bound;
    }
    model.Update(bit);
    Normalize();
    return bit;
  }

  // The low `count` (0 .. 64) bits of `bits`, all as likely.
  uint64_t Direct(uint64_t bits, int count) {
    for (int left = count; left > 0;) {
      const int now = std::min(left, kDirectBits);
      left -= now;
      range_ >>= now;
      low_ += uint64_t{range_} * ((bits >> left) & ((uint64_t{1} << now) - 1));
      Normalize();
    }
    return bits;
  }

  std::string Finish() {
    // The shortest number within the range; a reader takes what is missing for zeros.
    for (int zeros = 24; zeros >= 0; zeros -= 8) {
      const uint64_t mask = (uint64_t{1} << zeros) - 1;
      const uint64_t number = (low_ + mask) & ~mask;
      if (number < low_ + range_) {
        low_ = number;
        break;
      }
    }
    for (int i = 0; i < 5; ++i) ShiftLow();
    for (int i = 0; i < 4 && !out_.empty() && out_.back() == 0; ++i) out_.pop_back();
    return std::move(out_);
  }

  bool ok() const { return true; }
  void Fail() {}

 private:
  void Normalize() {
    while (range_ < kRangeFloor) {
      range_ <<= 8;
      ShiftLow();
    }
  }

  // Moves the top byte out. 0xff waits, for a carry may yet change it.
  void ShiftLow() {
    if (low_ < 0xff000000u || low_ > UINT32_MAX) {
      const auto carry = static_cast<uint8_t>(low_ >> 32);
      // The first byte is always 0 and not written.
      if (started_) out_.push_back(static_cast<char>(held_ + carry));
      started_ = true;
      out_.append(waiting_, static_cast<char>(0xff + carry));
      waiting_ = 0;
      held_ = static_cast<uint8_t>(low_ >> 24);
    } else {
      ++waiting_;
    }
    low_ = (low_ & 0x00ffffff) << 8;
  }

  uint64_t low_ = 0;
  uint32_t range_ = UINT32_MAX;
  bool started_ = false;
  uint8_t held_ = 0;
  size_t waiting_ = 0;
  std::string out_;
};

// The bytes may be anything.
//
// Failure: sticky; ok() is false, and what is returned means nothing. A reader checks it within
//          every loop whose length the bytes decide.
class RangeDecoder {
 public:
  static constexpr bool kDecodes = true;

  explicit RangeDecoder(std::string_view bytes) : bytes_(bytes) {
    for (int i = 0; i < 4; ++i) code_ = code_ << 8 | Next();
  }

  [[gnu::always_inline]] bool Bit(BitModel& model, bool = false) {
    const uint32_t bound = (range_ >> 16) * model.zero;
    const bool bit = code_ >= bound;
    if (bit) {
      code_ -= bound;
      range_ -= bound;
    } else {
      range_ = bound;
    }
    model.Update(bit);
    Normalize();
    return bit;
  }

  uint64_t Direct(uint64_t, int count) {
    uint64_t bits = 0;
    for (int left = count; left > 0;) {
      const int now = std::min(left, kDirectBits);
      left -= now;
      range_ >>= now;
      uint32_t part = code_ / range_;
      if (part >> now != 0) {
        Fail();
        part = 0;
        code_ = 0;
      }
      code_ -= part * range_;
      bits = bits << now | part;
      Normalize();
    }
    return bits;
  }

  // False once more was read than an encoder can have left out.
  bool ok() const { return ok_; }
  void Fail() { ok_ = false; }
  // True when all went well and no byte is left over.
  bool Finished() const { return ok_ && position_ >= bytes_.size(); }

 private:
  void Normalize() {
    while (range_ < kRangeFloor) {
      range_ <<= 8;
      code_ = code_ << 8 | Next();
    }
  }
  uint8_t Next() {
    if (position_ < bytes_.size()) return static_cast<uint8_t>(bytes_[position_++]);
    if (++missing_ > 8) ok_ = false;
    return 0;
  }

  std::string_view bytes_;
  size_t position_ = 0;
  int missing_ = 0;
  bool ok_ = true;
  uint32_t code_ = 0;
  uint32_t range_ = UINT32_MAX;
};

}  // namespace kindling::storage
