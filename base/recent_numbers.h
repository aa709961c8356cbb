#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>
#include <utility>

namespace kindling::base {

// A hash of a text's ends alone, for a RecentNumbers: to make many texts with the same one is easy.
inline uint64_t QuickHash(std::string_view text) {
  constexpr uint64_t kOdd = 0x9e3779b97f4a7c15;
  uint64_t first = 0;
  uint64_t last = 0;
  if (text.size() >= 8) {
    std::memcpy(&first, text.data(), 8);
    std::memcpy(&last, text.data() + text.size() - 8, 8);
  } else {
    for (const char c : text) first = first << 8 | static_cast<unsigned char>(c);
  }
  const uint64_t mixed = ((first * kOdd) ^ last) * kOdd + text.size();
  return mixed ^ (mixed >> 32);
}

// The numbers of the keys that were asked for last, in front of a table that knows all: most keys
// come again soon, and are found here without a hash that no peer can foresee.
//
// Limits: kSize places, a power of two; a key that is not there costs a comparison and its place.
template <typename Key, typename Number, size_t kSize>
class RecentNumbers {
 public:
  // same(key) is asked of a key in the hash's place; if it is another, make() gives the pair of key
  // and number that is there from now on.
  template <typename Same, typename Make>
  Number Find(uint64_t hash, Same same, Make make) {
    std::optional<std::pair<Key, Number>>& place = places_[hash % kSize];
    if (!place || !same(place->first)) place = make();
    return place->second;
  }

 private:
  static_assert((kSize & (kSize - 1)) == 0);
  std::array<std::optional<std::pair<Key, Number>>, kSize> places_;
};

}  // namespace kindling::base
