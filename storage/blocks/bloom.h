#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

// Membership filters on disk and the hash they are made with. Neither may ever change.
namespace kindling::storage {

inline uint64_t StableMix(uint64_t value) {
  value ^= value >> 32;
  value *= 0xd6e8feb86659fd93;
  value ^= value >> 32;
  value *= 0xd6e8feb86659fd93;
  value ^= value >> 32;
  return value;
}

// Of the bytes in little-endian words of eight, the last filled up with zeros, and the size.
inline uint64_t StableHash(std::string_view text, uint64_t seed = 0) {
  uint64_t hash = StableMix(seed + 0x9e3779b97f4a7c15 * (text.size() + 1));
  while (!text.empty()) {
    uint64_t word = 0;
    const size_t size = std::min(text.size(), sizeof(word));
    std::memcpy(&word, text.data(), size);
    hash = StableMix(hash ^ word) + 0x9e3779b97f4a7c15;
    text.remove_prefix(size);
  }
  return hash;
}

// A Bloom filter: each hash sets kProbes bits. The number of bits is that of the bytes.
class Bloom {
 public:
  static constexpr int kProbes = 5;

  // Of distinct hashes, in so many bits for each.
  static std::string Make(const std::vector<uint64_t>& hashes, size_t bits_per_hash) {
    std::string bytes(std::max<size_t>((hashes.size() * bits_per_hash + 7) / 8, 1), '\0');
    for (const uint64_t hash : hashes) {
      Visit(hash, bytes.size() * 8, [&](size_t bit) {
        bytes[bit / 8] = static_cast<char>(bytes[bit / 8] | 1 << bit % 8);
        return true;
      });
    }
    return bytes;
  }

  // An empty filter may hold anything.
  static bool MayHold(std::string_view bytes, uint64_t hash) {
    return bytes.empty() || Visit(hash, bytes.size() * 8, [&](size_t bit) {
             return (static_cast<uint8_t>(bytes[bit / 8]) >> bit % 8 & 1) != 0;
           });
  }

 private:
  // Probe i is the upper half of (hash + i * (hash rotated by 32 | 1)) * bits.
  template <typename F>
  static bool Visit(uint64_t hash, uint64_t bits, F visit) {
    const uint64_t step = (hash << 32 | hash >> 32) | 1;
    for (int i = 0; i < kProbes; ++i, hash += step) {
      const auto bit = static_cast<size_t>((hash >> 32) * bits >> 32);
      if (!visit(bit)) return false;
    }
    return true;
  }
};

}  // namespace kindling::storage
