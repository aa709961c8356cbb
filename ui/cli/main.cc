#include <unistd.h>

#include <cstdlib>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "ui/cli/cli.h"
#include "ui/cli/interrupts.h"
#include "ui/cli/unix_terminal.h"

extern char** environ;

int main(int argc, char** argv) {
  using namespace kindling;
  std::ios::sync_with_stdio(false);
  const std::vector<std::string> args(argv + 1, argv + argc);
  ui::Environment environment{.out = std::cout,
                              .err = std::cerr,
                              .clock = base::SystemClock(),
                              .zone = absl::LocalTimeZone(),
                              .out_is_terminal = isatty(STDOUT_FILENO) == 1,
                              .err_is_terminal = isatty(STDERR_FILENO) == 1,
                              .columns = ui::TerminalColumns(),
                              .catch_interrupts = ui::CatchInterrupts};
  for (char** variable = environ; *variable != nullptr; ++variable) {
    const std::string text = *variable;
    const size_t equals = text.find('=');
    if (equals != std::string::npos) {
      environment.variables.emplace(text.substr(0, equals), text.substr(equals + 1));
    }
  }
  // gRPC's own log lines repeat what is said better.
  if (environment.variables.find("GRPC_VERBOSITY") == environment.variables.end()) {
    setenv("GRPC_VERBOSITY", "NONE", 1);
  }
  if (environment.out_is_terminal && isatty(STDIN_FILENO) == 1) {
    environment.open_terminal = ui::OpenTerminal;
  }
  return static_cast<int>(ui::RunCli(args, environment));
}
