#pragma once

#include <bit>
#include <cstddef>
#include <cstring>
#include <string_view>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace kindling::base {

// Position of the first `byte` in `text` at or after `from`, or npos. As memchr, but inline: for
// short runs, such as the lines of a header, where a call costs more than the search.
inline size_t FindByte(std::string_view text, char byte, size_t from = 0) {
#if defined(__SSE2__)
  const __m128i wanted = _mm_set1_epi8(byte);
  const auto mask_at = [&](size_t at) {
    const __m128i block = _mm_loadu_si128(reinterpret_cast<const __m128i*>(text.data() + at));
    return static_cast<unsigned>(_mm_movemask_epi8(_mm_cmpeq_epi8(block, wanted)));
  };
  for (; from + 16 <= text.size(); from += 16) {
    if (const unsigned mask = mask_at(from); mask != 0) {
      return from + static_cast<size_t>(std::countr_zero(mask));
    }
  }
  if (from >= text.size()) return std::string_view::npos;
  if (text.size() >= 16) {  // the last block once more, without what was seen
    const size_t last = text.size() - 16;
    const unsigned mask = mask_at(last) >> (from - last);
    return mask == 0 ? std::string_view::npos : from + static_cast<size_t>(std::countr_zero(mask));
  }
#endif
  return text.find(byte, from);
}

}  // namespace kindling::base
