#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "ui/cli/args.h"

namespace kindling::ui {

class Session;

// What the shell sees.
enum class ExitCode {
  kOk = 0,
  kError = 1,
  kUsage = 2,    // the command line is wrong, and nothing was done
  kPartial = 3,  // an answer, but not made of everything that happened
};

struct Example {
  std::string line;     // as it is typed
  std::string meaning;  // one sentence
};

// One command: how it is called, its help, and what it does.
struct Command {
  std::string name;                  // one or two words: "get edges"
  std::string arguments;             // "ID"; empty: none
  std::string summary;               // one line
  std::string details;               // paragraphs of help; may be empty
  std::vector<OptionSpec> options;   // besides the global ones
  std::vector<std::string> formats;  // of -o, the default first; empty: it has no -o
  bool takes_time = false;           // --since, --from, --to
  bool takes_filter = false;         // --filter
  bool takes_limit = false;          // --limit
  bool asks_controller = true;
  absl::Duration timeout = absl::Seconds(10);  // of one question, unless --timeout says other
  size_t least_arguments = 0;
  size_t most_arguments = 0;
  std::vector<Example> examples;

  // InvalidArgument is a usage error, any other status an error.
  std::function<absl::StatusOr<ExitCode>(Session&)> run;
};

}  // namespace kindling::ui
