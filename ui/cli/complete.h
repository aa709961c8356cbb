#pragma once

#include <span>
#include <string>
#include <vector>

namespace kindling::ui {

// What may stand in place of the last of `words`, which are what was typed after the program's
// name; the last may be empty. Sorted as help lists them.
std::vector<std::string> Complete(std::span<const std::string> words);

}  // namespace kindling::ui
