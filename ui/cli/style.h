#pragma once

#include <string>
#include <string_view>

namespace kindling::ui {

enum class Tone { kPlain, kDim, kBold, kWarning, kBad };

// How output may be decorated. Tone only repeats what the text says, for not everyone sees colours.
struct Style {
  bool color = false;   // ANSI colours
  bool unicode = true;  // decoration beyond ASCII

  std::string_view ellipsis() const { return unicode ? "\xe2\x80\xa6" : "..."; }
  std::string Paint(Tone tone, std::string_view text) const;
};

}  // namespace kindling::ui
