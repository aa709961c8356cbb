#pragma once

#include <cstddef>
#include <string>
#include <string_view>

// Text for a terminal.
namespace kindling::ui {

// Makes bytes from the wire safe to print: control characters, invisible and direction-changing
// ones and malformed UTF-8 become visible escapes such as \n, \x1b and \u{202e}. The result is one
// line.
std::string CleanText(std::string_view text);

// Columns that clean text takes: wide East Asian characters and emoji count two, combining marks
// none.
size_t DisplayWidth(std::string_view text);

// At most `width` columns of clean text, ending in `mark` ("…") when something was cut off.
std::string Truncate(std::string_view text, size_t width, std::string_view mark);

}  // namespace kindling::ui
