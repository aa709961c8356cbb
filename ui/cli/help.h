#pragma once

#include <string>

#include "ui/cli/command.h"

namespace kindling::ui {

// All commands, one line each.
std::string HelpOverview();
// One command in full: usage, details, options, examples.
std::string HelpFor(const Command& command);
// What can be done with "get", "describe".
std::string HelpForGroup(const std::string& group);
// The filter language and its fields.
std::string HelpForFilter();

}  // namespace kindling::ui
