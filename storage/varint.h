#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>

#include "base/byte_reader.h"

// How numbers are written in blocks: LEB128, seven bits a byte, low bits first; signed values in
// zigzag form so that small negative numbers stay short.
namespace kindling::storage {

inline void PutVarint(std::string& out, uint64_t value) {
  while (value >= 0x80) {
    out.push_back(static_cast<char>(value | 0x80));
    value >>= 7;
  }
  out.push_back(static_cast<char>(value));
}

inline constexpr size_t kMaxVarintBytes = 10;

// The same into memory with room for kMaxVarintBytes; returns the end.
inline char* PutVarintAt(char* out, uint64_t value) {
  while (value >= 0x80) {
    *out++ = static_cast<char>(value | 0x80);
    value >>= 7;
  }
  *out++ = static_cast<char>(value);
  return out;
}

// Fails the reader on a truncated or overlong number.
inline uint64_t ReadVarint(base::ByteReader& reader) {
  uint64_t value = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    const uint64_t byte = reader.U8();
    if (shift == 63 && byte > 1) break;
    value |= (byte & 0x7f) << shift;
    if (byte < 0x80) return value;
  }
  reader.Skip(SIZE_MAX);
  return 0;
}

constexpr uint64_t ZigZag(int64_t value) {
  return (static_cast<uint64_t>(value) << 1) ^ static_cast<uint64_t>(value >> 63);
}
constexpr int64_t UnZigZag(uint64_t bits) {
  return static_cast<int64_t>(bits >> 1) ^ -static_cast<int64_t>(bits & 1);
}

// The number that stands for a field in a column.
template <typename T>
uint64_t ToBits(const T& value) {
  if constexpr (std::is_enum_v<T>) {
    return static_cast<uint64_t>(static_cast<std::underlying_type_t<T>>(value));
  } else if constexpr (std::is_same_v<T, float>) {
    return std::bit_cast<uint32_t>(value);
  } else if constexpr (std::is_same_v<T, double>) {
    return std::bit_cast<uint64_t>(value);
  } else if constexpr (std::is_signed_v<T>) {
    return ZigZag(value);
  } else {
    return static_cast<uint64_t>(value);
  }
}

// The reverse; false when the number does not fit the field.
template <typename T>
bool FromBits(uint64_t bits, T& value) {
  if constexpr (std::is_enum_v<T>) {
    value = static_cast<T>(bits);
    return ToBits(value) == bits;
  } else if constexpr (std::is_same_v<T, float>) {
    value = std::bit_cast<float>(static_cast<uint32_t>(bits));
    return bits <= UINT32_MAX;
  } else if constexpr (std::is_same_v<T, double>) {
    value = std::bit_cast<double>(bits);
    return true;
  } else if constexpr (std::is_signed_v<T>) {
    value = static_cast<T>(UnZigZag(bits));
    return value == UnZigZag(bits);
  } else {
    value = static_cast<T>(bits);
    return static_cast<uint64_t>(value) == bits;
  }
}

}  // namespace kindling::storage
