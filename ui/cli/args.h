#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace kindling::ui {

// One option of the command line.
struct OptionSpec {
  std::string name;   // without the dashes
  char letter = 0;    // of the short form; 0: none
  std::string value;  // what its value is called in help, "FILE"; empty: it takes none
  std::string help;
  std::vector<std::string> choices;  // the values it takes; empty: any
  bool repeats = false;              // may be given several times
};

struct ParsedArgs {
  std::vector<std::string> words;  // what is not an option, in order
  std::map<std::string, std::vector<std::string>, std::less<>> options;  // by long name

  bool has(std::string_view name) const { return options.contains(name); }
  // The last value given.
  std::optional<std::string> value(std::string_view name) const;
};

// Takes options (--name value, --name=value, -n value, -nvalue) apart from words; after -- all are
// words. Options may stand anywhere.
// Failure: InvalidArgument for an unknown option, a missing or unexpected value, a value that is
// not
//          one of the choices, or an option given twice.
absl::StatusOr<ParsedArgs> ParseArgs(std::span<const std::string> args,
                                     std::span<const OptionSpec> specs);

}  // namespace kindling::ui
