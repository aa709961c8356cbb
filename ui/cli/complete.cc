#include "ui/cli/complete.h"

#include <algorithm>
#include <optional>

#include "model/filter.h"
#include "ui/cli/commands.h"
#include "ui/cli/session.h"

namespace kindling::ui {
namespace {

const OptionSpec* Find(std::span<const OptionSpec> options, const std::string& word) {
  for (const OptionSpec& option : options) {
    if (word == "--" + option.name) return &option;
    if (option.letter != 0 && word == std::string{'-', option.letter}) return &option;
  }
  return nullptr;
}

std::optional<model::RecordKind> RecordsOf(const Command* command) {
  if (command == nullptr) return std::nullopt;
  if (command->name == "get spans") return model::RecordKind::kSpan;
  if (command->name == "get processes") return model::RecordKind::kProcess;
  if (command->name == "get tcp") return model::RecordKind::kTcp;
  for (const char* of_ends : {"get connections", "get dns", "get drops", "get nat"}) {
    if (command->name == of_ends) return model::RecordKind::kEnds;
  }
  if (command->name == "get interfaces") return model::RecordKind::kInterface;
  return model::RecordKind::kEdge;
}

std::vector<std::string> Values(const OptionSpec& option, const Command* command,
                                const std::string& typed) {
  // A command's own --filter is of another language.
  const bool is_ours = command == nullptr || command->takes_filter;
  if (option.name == "filter" && is_ours) {
    const model::FilterCompletion found = model::CompleteFilter(typed, RecordsOf(command));
    std::vector<std::string> values;
    for (const std::string& word : found.words) {
      values.push_back(typed.substr(0, found.offset) + word);
    }
    return values;
  }
  if (option.name == "since") return {"5m", "15m", "1h", "6h", "1d", "all"};
  return option.choices;
}

std::vector<std::string> StartingWith(std::vector<std::string> words, const std::string& typed) {
  std::erase_if(words, [&typed](const std::string& word) { return !word.starts_with(typed); });
  return words;
}

// The words of the command line that are no options and no values of options.
std::vector<std::string> PlainWords(std::span<const std::string> words,
                                    std::span<const OptionSpec> options) {
  std::vector<std::string> plain;
  for (size_t i = 0; i < words.size(); ++i) {
    if (words[i].size() > 1 && words[i][0] == '-') {
      const OptionSpec* option = Find(options, words[i]);
      if (option != nullptr && !option->value.empty()) ++i;
    } else {
      plain.push_back(words[i]);
    }
  }
  return plain;
}

// The next word of every command that begins with `path`.
std::vector<std::string> NextWords(const std::vector<std::string>& path) {
  std::vector<std::string> next;
  const std::string begin = path.empty() ? "" : path[0] + " ";
  for (const Command& command : Commands()) {
    if (!command.name.starts_with(begin) || path.size() > 1) continue;
    const std::string rest = command.name.substr(begin.size());
    const std::string word = rest.substr(0, rest.find(' '));
    if (std::find(next.begin(), next.end(), word) == next.end()) next.push_back(word);
  }
  return next;
}

}  // namespace

std::vector<std::string> Complete(std::span<const std::string> words) {
  if (words.empty()) return {};
  const std::string typed = words.back();
  const std::span<const std::string> before = words.first(words.size() - 1);

  std::vector<OptionSpec> all = GlobalOptions(nullptr);
  for (const Command& command : Commands()) {
    all.insert(all.end(), command.options.begin(), command.options.end());
  }
  std::vector<std::string> plain = PlainWords(before, all);
  const bool is_help = !plain.empty() && plain[0] == "help";
  if (is_help) plain.erase(plain.begin());
  const Command* command = nullptr;
  for (const Command& candidate : Commands()) {
    const std::string two = plain.size() > 1 ? plain[0] + " " + plain[1] : "";
    if ((!plain.empty() && candidate.name == plain[0]) || candidate.name == two) {
      command = &candidate;
    }
  }
  std::vector<OptionSpec> options = all;
  if (command != nullptr) {
    options = GlobalOptions(command);
    options.insert(options.begin(), command->options.begin(), command->options.end());
  }

  if (!before.empty()) {
    const OptionSpec* option = Find(options, before.back());
    if (option != nullptr && !option->value.empty()) {
      return StartingWith(Values(*option, command, typed), typed);
    }
  }
  if (typed.starts_with("--") && typed.find('=') != std::string::npos) {
    const size_t equals = typed.find('=');
    const OptionSpec* option = Find(options, typed.substr(0, equals));
    if (option == nullptr) return {};
    std::vector<std::string> values = Values(*option, command, typed.substr(equals + 1));
    for (std::string& value : values) value = typed.substr(0, equals + 1) + value;
    return StartingWith(values, typed);
  }
  if (typed.starts_with("-")) {
    std::vector<std::string> names;
    for (const OptionSpec& option : options) names.push_back("--" + option.name);
    return StartingWith(names, typed);
  }
  std::vector<std::string> next =
      command == nullptr ? NextWords(plain) : std::vector<std::string>();
  if (command != nullptr && command->name == "completion") next = {"bash", "zsh", "fish"};
  if (command != nullptr && command->name == "get values") {
    next = {"service", "endpoint", "protocol", "status", "host"};
  }
  if (plain.empty()) {
    if (is_help)
      next.push_back("filter");
    else
      next.push_back("help");
  }
  return StartingWith(next, typed);
}

}  // namespace kindling::ui
