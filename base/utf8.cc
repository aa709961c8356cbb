#include "base/utf8.h"

#include <cstddef>
#include <cstdint>

namespace kindling::base {

std::optional<char32_t> TakeUtf8(std::string_view& text) {
  const auto byte = [&text](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t first = byte(0);
  size_t size = 1;
  char32_t point = first;
  char32_t least = 0;
  if (first >= 0xf0 && first <= 0xf4) {
    size = 4, point = first & 0x07, least = 0x10000;
  } else if (first >= 0xe0) {
    size = 3, point = first & 0x0f, least = 0x800;
  } else if (first >= 0xc2) {
    size = 2, point = first & 0x1f, least = 0x80;
  }
  bool valid = first < 0x80 || (size > 1 && first <= 0xf4 && text.size() >= size);
  for (size_t i = 1; valid && i < size; ++i) {
    valid = (byte(i) & 0xc0) == 0x80;
    point = point << 6 | (byte(i) & 0x3f);
  }
  valid = valid && point >= least && point <= 0x10ffff && (point < 0xd800 || point > 0xdfff);
  text.remove_prefix(valid ? size : 1);
  if (!valid) return std::nullopt;
  return point;
}

bool IsValidUtf8(std::string_view text) {
  while (!text.empty()) {
    if (!TakeUtf8(text)) return false;
  }
  return true;
}

std::string ToValidUtf8(std::string_view text) {
  if (IsValidUtf8(text)) return std::string(text);
  std::string result;
  result.reserve(text.size());
  while (!text.empty()) {
    const std::string_view before = text;
    if (TakeUtf8(text)) {
      result += before.substr(0, before.size() - text.size());
    } else {
      result += '?';
    }
  }
  return result;
}

}  // namespace kindling::base
