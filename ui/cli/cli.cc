#include "ui/cli/cli.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "absl/strings/str_format.h"
#include "base/suggest.h"
#include "ui/cli/args.h"
#include "ui/cli/commands.h"
#include "ui/cli/complete.h"
#include "ui/cli/help.h"
#include "ui/cli/text.h"

namespace kindling::ui {
namespace {

// Error messages are one line, and may hold what a server said.
void PrintError(const Environment& environment, const std::string& what) {
  environment.err << "kindlingctl: " << CleanText(what) << "\n";
}

ExitCode UsageError(const Environment& environment, const std::string& what,
                    const std::string& help) {
  PrintError(environment, what + " (see \"kindlingctl " + help + "\")");
  return ExitCode::kUsage;
}

// Every option there is: options may stand before the command.
std::vector<OptionSpec> AllOptions() {
  std::vector<OptionSpec> options = GlobalOptions(nullptr);
  for (const Command& command : Commands()) {
    for (const OptionSpec& option : command.options) {
      const bool is_known = std::any_of(options.begin(), options.end(),
                                        [&](const OptionSpec& o) { return o.name == option.name; });
      if (!is_known) options.push_back(option);
    }
  }
  return options;
}

// The command that `words` begin with.
const Command* FindCommand(const std::vector<std::string>& words, size_t* length) {
  for (const Command& command : Commands()) {
    *length = command.name.find(' ') == std::string::npos ? 1 : 2;
    if (words.size() < *length) continue;
    const std::string name = *length == 1 ? words[0] : words[0] + " " + words[1];
    if (name == command.name) return &command;
  }
  return nullptr;
}

bool IsGroup(const std::string& word) {
  return std::any_of(Commands().begin(), Commands().end(), [&word](const Command& command) {
    return command.name.starts_with(word + " ");
  });
}

ExitCode UnknownCommand(const Environment& environment, const std::vector<std::string>& words) {
  std::vector<std::string> names = {"help"};
  if (IsGroup(words[0])) {
    names.clear();
    for (const Command& command : Commands()) {
      if (command.name.starts_with(words[0] + " ")) {
        names.push_back(command.name.substr(words[0].size() + 1));
      }
    }
    const std::string what = words.size() == 1
                                 ? absl::StrFormat("%s what?", words[0])
                                 : absl::StrFormat("cannot %s \"%s\"%s", words[0], words[1],
                                                   base::DidYouMean(words[1], names));
    return UsageError(environment, what, "help " + words[0]);
  }
  for (const Command& command : Commands()) {
    names.push_back(command.name.substr(0, command.name.find(' ')));
  }
  return UsageError(environment,
                    "unknown command \"" + words[0] + "\"" + base::DidYouMean(words[0], names),
                    "help");
}

ExitCode Help(const Environment& environment, const std::vector<std::string>& words) {
  size_t length = 0;
  if (words.empty()) {
    environment.out << HelpOverview();
  } else if (words[0] == "filter") {
    environment.out << HelpForFilter();
  } else if (const Command* command = FindCommand(words, &length); command != nullptr) {
    environment.out << HelpFor(*command);
  } else if (words.size() == 1 && IsGroup(words[0])) {
    environment.out << HelpForGroup(words[0]);
  } else {
    return UnknownCommand(environment, words);
  }
  return ExitCode::kOk;
}

// The options that `command` takes, and what is wrong with those given.
std::optional<std::string> WrongOption(const Command& command, const ParsedArgs& parsed) {
  std::vector<OptionSpec> allowed = GlobalOptions(&command);
  allowed.insert(allowed.end(), command.options.begin(), command.options.end());
  for (const auto& given : parsed.options) {
    const std::string& name = given.first;
    const auto spec = std::find_if(allowed.begin(), allowed.end(),
                                   [&](const OptionSpec& o) { return o.name == name; });
    if (spec == allowed.end()) {
      return absl::StrFormat("\"%s\" does not take --%s", command.name, name);
    }
    if (spec->choices.empty()) continue;
    for (const std::string& value : given.second) {
      if (std::find(spec->choices.begin(), spec->choices.end(), value) != spec->choices.end()) {
        continue;
      }
      std::string choices;
      for (const std::string& choice : spec->choices) {
        choices += (choices.empty() ? "" : ", ") + choice;
      }
      return absl::StrFormat("--%s of \"%s\" is one of %s, not \"%s\"", name, command.name, choices,
                             value);
    }
  }
  return std::nullopt;
}

ExitCode RunCommand(const Command& command, const ParsedArgs& parsed,
                    std::span<const std::string> arguments, const Environment& environment) {
  const std::string help = "help " + command.name;
  if (const auto wrong = WrongOption(command, parsed)) {
    return UsageError(environment, *wrong, help);
  }
  if (arguments.size() < command.least_arguments) {
    return UsageError(environment,
                      absl::StrFormat("\"%s\" needs %s", command.name, command.arguments), help);
  }
  if (arguments.size() > command.most_arguments) {
    return UsageError(environment,
                      absl::StrFormat("\"%s\" has no use for \"%s\"", command.name,
                                      arguments[command.most_arguments]),
                      help);
  }
  const absl::StatusOr<Globals> globals = ParseGlobals(command, parsed, environment);
  if (!globals.ok()) {
    return UsageError(environment, std::string(globals.status().message()), help);
  }
  Session session(command, parsed, arguments, *globals, environment);
  const absl::StatusOr<ExitCode> code = command.run(session);
  environment.out << std::flush;
  if (code.ok()) return *code;
  PrintError(environment, std::string(code.status().message()));
  return absl::IsInvalidArgument(code.status()) ? ExitCode::kUsage : ExitCode::kError;
}

}  // namespace

ExitCode RunCli(std::span<const std::string> args, const Environment& environment) {
  if (!args.empty() && args[0] == "__complete") {
    for (const std::string& word : Complete(args.subspan(1))) environment.out << word << "\n";
    return ExitCode::kOk;
  }
  const std::vector<OptionSpec> options = AllOptions();
  const absl::StatusOr<ParsedArgs> parsed = ParseArgs(args, options);
  if (!parsed.ok()) return UsageError(environment, std::string(parsed.status().message()), "help");

  std::vector<std::string> words = parsed->words;
  if (words.empty() && !parsed->has("help")) {
    environment.err << HelpOverview();
    return ExitCode::kUsage;
  }
  if (!words.empty() && words[0] == "help") {
    words.erase(words.begin());
    return Help(environment, words);
  }
  if (parsed->has("help")) return Help(environment, words);
  size_t length = 0;
  const Command* command = FindCommand(words, &length);
  if (command == nullptr) return UnknownCommand(environment, words);
  return RunCommand(*command, *parsed, std::span(words).subspan(length), environment);
}

}  // namespace kindling::ui
