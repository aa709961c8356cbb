#pragma once

#include <span>
#include <string>
#include <string_view>

namespace kindling::base {

// The candidate that `word` is most likely a slip of, or empty when none is near: at most a third
// of its letters may differ, case aside. For "did you mean". Limits: words longer than 64 bytes are
// never matched.
std::string Suggest(std::string_view word, std::span<const std::string> candidates);

// "; did you mean \"x\"?", or empty. To be appended to a message.
std::string DidYouMean(std::string_view word, std::span<const std::string> candidates);

}  // namespace kindling::base
