#include "storage/blocks/order_by_time.h"

#include <algorithm>
#include <array>
#include <bit>
#include <numeric>
#include <utility>

namespace kindling::storage {

std::vector<uint32_t> OrderByTime(std::span<const int64_t> times) {
  constexpr int kDigitBits = 11;
  constexpr int kDigits = 3;
  std::vector<uint32_t> order(times.size());
  std::iota(order.begin(), order.end(), 0);
  if (times.empty()) return order;
  const auto [least, greatest] = std::minmax_element(times.begin(), times.end());
  const uint64_t base = static_cast<uint64_t>(*least);
  const uint64_t range = static_cast<uint64_t>(*greatest) - base;
  const int shift = std::max(0, static_cast<int>(std::bit_width(range)) - kDigitBits * kDigits);
  std::vector<uint32_t> next(times.size());
  for (int digit = 0; digit < kDigits; ++digit) {
    const int down = shift + digit * kDigitBits;
    if (down >= 64 || range >> down == 0) break;
    std::array<uint32_t, (1 << kDigitBits) + 1> counts{};
    const auto digit_of = [&](uint32_t row) {
      return (static_cast<uint64_t>(times[row]) - base) >> down & ((1 << kDigitBits) - 1);
    };
    for (const uint32_t row : order) ++counts[digit_of(row) + 1];
    for (size_t i = 1; i < counts.size(); ++i) counts[i] += counts[i - 1];
    for (const uint32_t row : order) next[counts[digit_of(row)]++] = row;
    order.swap(next);
  }
  return order;
}

}  // namespace kindling::storage
