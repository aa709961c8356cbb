#pragma once

#include <span>
#include <string>

#include "ui/cli/command.h"
#include "ui/cli/session.h"

namespace kindling::ui {

// kindlingctl: `args` are the words after the program's name.
ExitCode RunCli(std::span<const std::string> args, const Environment& environment);

}  // namespace kindling::ui
