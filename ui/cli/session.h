#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <ostream>
#include <span>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "ui/cli/args.h"
#include "ui/cli/client.h"
#include "ui/cli/command.h"
#include "ui/cli/style.h"
#include "ui/cli/time_range.h"

namespace google::protobuf {
class Message;
}
namespace kindling::v1 {
class Completeness;
class TimeRange;
}  // namespace kindling::v1

namespace kindling::ui {

// A keyboard and a screen, for what is live.
class Terminal {
 public:
  virtual ~Terminal() = default;
  // The next key within `timeout`; nullopt: none came.
  virtual std::optional<char> ReadKey(absl::Duration timeout) = 0;
  // Rows and columns now; 0: not known.
  virtual int rows() const = 0;
  virtual int columns() const = 0;
};

// Everything outside the program.
struct Environment {
  std::ostream& out;
  std::ostream& err;
  const base::Clock& clock;
  std::map<std::string, std::string> variables;  // of the process environment
  absl::TimeZone zone;
  bool out_is_terminal = false;
  bool err_is_terminal = false;
  int columns = 0;  // of the terminal; 0: not one, cut nothing
  // Takes over the terminal until the result is destroyed; null: there is none.
  std::function<std::unique_ptr<Terminal>()> open_terminal;
  // See CatchInterrupts(); for commands that have something to finish.
  std::function<const std::atomic<bool>&()> catch_interrupts;
};

// The options every command has, parsed.
struct Globals {
  ClientOptions client;
  AskedRange range;
  std::string filter;  // several are AND-ed
  std::string format;  // of -o
  size_t limit = 0;    // 0: none given
  absl::TimeZone zone;
  Style style;
};

// The global options that `command` takes, for parsing and help.
std::vector<OptionSpec> GlobalOptions(const Command* command);

absl::StatusOr<Globals> ParseGlobals(const Command& command, const ParsedArgs& args,
                                     const Environment& environment);

// One run of one command.
//
// Lifetime: everything passed in must outlive this.
class Session {
 public:
  Session(const Command& command, const ParsedArgs& args, std::span<const std::string> arguments,
          const Globals& globals, const Environment& environment)
      : command_(command),
        args_(args),
        arguments_(arguments),
        globals_(globals),
        environment_(environment) {}

  const Command& command() const { return command_; }
  const ParsedArgs& args() const { return args_; }
  // The words after the command's name.
  std::span<const std::string> arguments() const { return arguments_; }
  const Globals& globals() const { return globals_; }
  const Environment& environment() const { return environment_; }
  std::ostream& out() const { return environment_.out; }
  const Style& style() const { return globals_.style; }
  const std::string& format() const { return globals_.format; }
  bool is_wide() const { return globals_.format == "wide"; }
  // Columns a table may take; 0: any number.
  size_t width() const { return is_wide() ? 0 : static_cast<size_t>(environment_.columns); }
  int64_t now_ns() const { return environment_.clock.WallNs(); }

  // The range asked for as a message, and in words: "in the last 15m".
  v1::TimeRange time_range() const;
  std::string TimeInWords() const;

  // To the controller; made on first use.
  absl::StatusOr<Client*> client();

  // Asks the controller.
  template <typename Request, typename Response>
  absl::Status Ask(const Request& request, Response response) {
    const absl::StatusOr<Client*> asked = client();
    return asked.ok() ? (*asked)->Call(request, response) : asked.status();
  }

  // Prints `message` if the format is json or yaml; false: it is another.
  absl::StatusOr<bool> PrintMessage(const google::protobuf::Message& message) const;

  // Prints the line under a table and returns the exit code that goes with it.
  ExitCode PrintCompleteness(const v1::Completeness& completeness) const;

 private:
  const Command& command_;
  const ParsedArgs& args_;
  const std::span<const std::string> arguments_;
  const Globals& globals_;
  const Environment& environment_;
  std::unique_ptr<Client> client_;
};

}  // namespace kindling::ui
