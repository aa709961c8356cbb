#include "storage/blocks/magnitudes.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>

namespace kindling::storage {
namespace {

// Numbers below this are classes of their own; above, each power of two has two classes.
constexpr uint64_t kSmall = 16;
constexpr int kSmallBits = 4;
constexpr size_t kClasses = kSmall + 2 * (64 - kSmallBits);

// Of any byte; what is no class has no bits.
struct ClassTable {
  std::array<uint64_t, 256> base{};
  std::array<uint8_t, 256> bits{};
  constexpr ClassTable() {
    for (size_t i = 0; i < kSmall; ++i) base[i] = i;
    for (size_t i = kSmall; i < kClasses; ++i) {
      const int power = kSmallBits + static_cast<int>(i - kSmall) / 2;
      base[i] = (uint64_t{1} << power) + ((i - kSmall) % 2 << (power - 1));
      bits[i] = static_cast<uint8_t>(power - 1);
    }
  }
};
constexpr ClassTable kTable;

size_t ClassOf(uint64_t value) {
  if (value < kSmall) return value;
  const int power = std::bit_width(value) - 1;
  return kSmall + 2 * static_cast<size_t>(power - kSmallBits) + (value >> (power - 1) & 1);
}

double HistogramBits(const std::array<uint32_t, 256>& histogram, size_t total) {
  double bits = 0;
  for (const uint32_t count : histogram) {
    if (count > 0) bits += count * std::log2(static_cast<double>(total) / count);
  }
  return bits;
}

}  // namespace

double EntropyBits(std::string_view bytes) {
  std::array<uint32_t, 256> histogram{};
  for (const char byte : bytes) ++histogram[static_cast<uint8_t>(byte)];
  return HistogramBits(histogram, bytes.size());
}

double EstimateMagnitudeBits(std::span<const uint64_t> values) {
  std::array<uint32_t, 256> histogram{};
  for (const uint64_t value : values) ++histogram[ClassOf(value)];
  double bits = HistogramBits(histogram, values.size());
  for (size_t i = 0; i < kClasses; ++i) bits += static_cast<double>(histogram[i]) * kTable.bits[i];
  return bits;
}

Magnitudes ToMagnitudes(std::span<const uint64_t> values) {
  Magnitudes out;
  out.classes.resize(values.size());
  uint64_t total_bits = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    const size_t c = ClassOf(values[i]);
    out.classes[i] = static_cast<char>(c);
    total_bits += kTable.bits[c];
  }
  out.estimated_bits = EntropyBits(out.classes) + static_cast<double>(total_bits);
  out.bits.assign((total_bits + 7) / 8 + sizeof(uint64_t), '\0');
  uint64_t pending = 0;
  int filled = 0;
  char* at = out.bits.data();
  const auto put = [&](uint64_t value, int bits) {  // bits <= 32
    pending |= value << filled;
    filled += bits;
    while (filled >= 8) {
      *at++ = static_cast<char>(pending);
      pending >>= 8;
      filled -= 8;
    }
  };
  for (size_t i = 0; i < values.size(); ++i) {
    const size_t c = static_cast<uint8_t>(out.classes[i]);
    const uint64_t rest = values[i] - kTable.base[c];
    const int bits = kTable.bits[c];
    put(rest & 0xffffffff, bits < 32 ? bits : 32);
    if (bits > 32) put(rest >> 32, bits - 32);
  }
  if (filled > 0) *at = static_cast<char>(pending);
  out.bits.resize((total_bits + 7) / 8);
  return out;
}

bool FromMagnitudes(std::string_view classes, std::string_view bits,
                    std::vector<uint64_t>& values) {
  uint64_t total_bits = 0;
  uint8_t greatest = 0;
  for (const char c : classes) {
    greatest = std::max(greatest, static_cast<uint8_t>(c));
    total_bits += kTable.bits[static_cast<uint8_t>(c)];
  }
  if (greatest >= kClasses || bits.size() != (total_bits + 7) / 8) return false;
  values.resize(classes.size());
  if (total_bits == 0) {
    for (size_t i = 0; i < classes.size(); ++i) values[i] = static_cast<uint8_t>(classes[i]);
    return true;
  }
  static_assert(std::endian::native == std::endian::little);
  uint64_t at = 0;
  const char* words = bits.data();
  const auto take = [&](int count) {  // count <= 57
    uint64_t word;
    std::memcpy(&word, words + at / 8, sizeof(word));
    word >>= at % 8;
    at += static_cast<uint64_t>(count);
    return word & ((uint64_t{1} << count) - 1);
  };
  const auto take_value = [&](size_t c) {
    const int count = kTable.bits[c];
    if (count <= 57) [[likely]]
      return kTable.base[c] + take(count);
    const uint64_t low = take(32);
    return kTable.base[c] + (low | take(count - 32) << 32);
  };
  // The last words are read where there is room behind the last bit.
  constexpr size_t kTail = 2 * sizeof(uint64_t);
  const uint64_t safe_bits = bits.size() < kTail ? 0 : 8 * (bits.size() - kTail);
  size_t i = 0;
  for (; i < classes.size() && at < safe_bits; ++i) {
    values[i] = take_value(static_cast<uint8_t>(classes[i]));
  }
  std::array<char, 3 * kTail> tail{};
  const size_t first = at / 8;
  std::memcpy(tail.data(), bits.data() + first, bits.size() - first);
  words = tail.data();
  at %= 8;
  for (; i < classes.size(); ++i) values[i] = take_value(static_cast<uint8_t>(classes[i]));
  return true;
}

}  // namespace kindling::storage
