#pragma once

#include <span>

#include "ui/cli/command.h"

namespace kindling::ui {

// One function per command; each is in the file of its name.
Command GetServicesCommand();
Command GetEdgesCommand();
Command GetSpansCommand();
Command GetAgentsCommand();
Command GetProcessesCommand();
Command DescribeSpanCommand();
Command MapCommand();
Command TopCommand();
Command VersionCommand();
Command CompletionCommand();

// All of them, in the order of help.
std::span<const Command> Commands();

}  // namespace kindling::ui
