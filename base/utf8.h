#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace kindling::base {

// Takes one code point off the front of `text`, which is not empty. nullopt: the first byte does
// not begin a well-formed one (overlong forms and surrogates are not); that byte alone is taken.
std::optional<char32_t> TakeUtf8(std::string_view& text);

bool IsValidUtf8(std::string_view text);

// `text` with each byte that belongs to no well-formed code point as '?'.
std::string ToValidUtf8(std::string_view text);

}  // namespace kindling::base
