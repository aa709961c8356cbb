#include "ui/cli/text.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>

#include "absl/strings/str_format.h"
#include "base/utf8.h"

namespace kindling::ui {
namespace {

struct Range {
  char32_t first;
  char32_t last;
};

template <size_t N>
bool In(const std::array<Range, N>& ranges, char32_t point) {
  return std::any_of(ranges.begin(), ranges.end(), [point](const Range& range) {
    return range.first <= point && point <= range.last;
  });
}

// Format characters: what they do to the line around them cannot be seen.
constexpr std::array<Range, 10> kInvisible = {{{0x7f, 0x9f},
                                               {0xad, 0xad},
                                               {0x61c, 0x61c},
                                               {0x180e, 0x180e},
                                               {0x200b, 0x200f},
                                               {0x2028, 0x202e},
                                               {0x2060, 0x206f},
                                               {0xfeff, 0xfeff},
                                               {0xfff9, 0xfffb},
                                               {0xe0000, 0xe0fff}}};

constexpr std::array<Range, 5> kCombining = {
    {{0x300, 0x36f}, {0x1ab0, 0x1aff}, {0x20d0, 0x20ff}, {0xfe00, 0xfe0f}, {0xfe20, 0xfe2f}}};

constexpr std::array<Range, 9> kWide = {{{0x1100, 0x115f},
                                         {0x2e80, 0xa4cf},
                                         {0xac00, 0xd7a3},
                                         {0xf900, 0xfaff},
                                         {0xfe30, 0xfe6f},
                                         {0xff00, 0xff60},
                                         {0xffe0, 0xffe6},
                                         {0x1f300, 0x1faff},
                                         {0x20000, 0x3fffd}}};

size_t WidthOf(char32_t point) {
  if (In(kCombining, point)) return 0;
  return In(kWide, point) ? 2 : 1;
}

}  // namespace

std::string CleanText(std::string_view text) {
  std::string clean;
  while (!text.empty()) {
    const std::string_view before = text;
    const std::optional<char32_t> point = base::TakeUtf8(text);
    if (!point) {
      clean += absl::StrFormat("\\x%02x", static_cast<uint8_t>(before[0]));
    } else if (*point == '\n') {
      clean += "\\n";
    } else if (*point == '\r') {
      clean += "\\r";
    } else if (*point == '\t') {
      clean += "\\t";
    } else if (*point < 0x20 || *point == 0x7f) {
      clean += absl::StrFormat("\\x%02x", static_cast<uint32_t>(*point));
    } else if (In(kInvisible, *point)) {
      clean += absl::StrFormat("\\u{%x}", static_cast<uint32_t>(*point));
    } else {
      clean += before.substr(0, before.size() - text.size());
    }
  }
  return clean;
}

size_t DisplayWidth(std::string_view text) {
  size_t width = 0;
  while (!text.empty()) width += WidthOf(base::TakeUtf8(text).value_or('?'));
  return width;
}

std::string Truncate(std::string_view text, size_t width, std::string_view mark) {
  if (DisplayWidth(text) <= width) return std::string(text);
  const size_t mark_width = DisplayWidth(mark);
  if (width < mark_width) return std::string(width, '.');
  size_t used = mark_width;
  std::string_view rest = text;
  size_t kept_bytes = 0;
  while (!rest.empty()) {
    used += WidthOf(base::TakeUtf8(rest).value_or('?'));
    if (used > width) break;
    kept_bytes = text.size() - rest.size();
  }
  return std::string(text.substr(0, kept_bytes)) + std::string(mark);
}

}  // namespace kindling::ui
