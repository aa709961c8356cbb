#pragma once

#include <memory>

#include "ui/cli/session.h"

namespace kindling::ui {

// The process's own terminal on standard input and output: the screen behind is put back, and keys
// are echoed again, when this is destroyed or a signal ends the process.
//
// Limits: one at a time.
std::unique_ptr<Terminal> OpenTerminal();

// Columns of the terminal on standard output; 0: not known, or not a terminal.
int TerminalColumns();

}  // namespace kindling::ui
