#include "storage/blocks/key_filter.h"

#include <algorithm>

namespace kindling::storage {
namespace {

constexpr size_t kBitsPerKey = 10;
constexpr int kProbes = 7;

// FNV-1a; source: draft-eastlake-fnv.
uint64_t Mix(uint64_t hash, std::string_view text) {
  for (const char c : text) hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001b3u;
  return hash;
}

// The finisher of SplitMix64.
uint64_t Finish(uint64_t hash) {
  hash = (hash ^ (hash >> 30)) * 0xbf58476d1ce4e5b9u;
  hash = (hash ^ (hash >> 27)) * 0x94d049bb133111ebu;
  return hash ^ (hash >> 31);
}

// Calls `visit` with the bits of a key until it returns false.
template <typename Visit>
bool EachBit(uint64_t key, size_t bits, Visit visit) {
  const uint64_t step = Finish(key) | 1;
  for (int i = 0; i < kProbes; ++i, key += step) {
    const auto bit = static_cast<size_t>(static_cast<unsigned __int128>(key) * bits >> 64);
    if (!visit(bit / 8, static_cast<uint8_t>(1u << (bit % 8)))) return false;
  }
  return true;
}

}  // namespace

uint64_t FilterKey(char kind, std::string_view first, std::string_view second) {
  uint64_t hash = Mix(0xcbf29ce484222325u, {&kind, 1});
  hash = Mix(hash, first);
  // The length keeps "ab", "c" and "a", "bc" apart.
  const auto size = static_cast<uint32_t>(first.size());
  for (int shift = 0; shift < 32; shift += 8) {
    const char byte = static_cast<char>(size >> shift);
    hash = Mix(hash, {&byte, 1});
  }
  return Finish(Mix(hash, second));
}

std::string EncodeKeyFilter(std::vector<uint64_t> keys) {
  std::sort(keys.begin(), keys.end());
  keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
  std::string filter((keys.size() * kBitsPerKey + 7) / 8, '\0');
  for (const uint64_t key : keys) {
    EachBit(key, filter.size() * 8, [&](size_t byte, uint8_t bit) {
      filter[byte] = static_cast<char>(filter[byte] | bit);
      return true;
    });
  }
  return filter;
}

bool KeyFilterMayHold(std::string_view filter, uint64_t key) {
  if (filter.empty()) return false;
  return EachBit(key, filter.size() * 8, [&](size_t byte, uint8_t bit) {
    return (static_cast<uint8_t>(filter[byte]) & bit) != 0;
  });
}

}  // namespace kindling::storage
