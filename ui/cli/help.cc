#include "ui/cli/help.h"

#include <algorithm>
#include <cctype>
#include <utility>
#include <vector>

#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "model/filter_field.h"
#include "ui/cli/commands.h"
#include "ui/cli/session.h"

namespace kindling::ui {
namespace {

constexpr size_t kColumns = 80;

// Words of `text` in lines of at most kColumns, each indented; `first` columns are used already.
std::string Wrap(const std::string& text, size_t indent, size_t first) {
  std::string out;
  size_t column = first;
  size_t at = 0;
  while (at < text.size()) {
    const size_t end = std::min(text.find(' ', at), text.size());
    const std::string word = text.substr(at, end - at);
    at = end + 1;
    if (word.empty()) continue;
    if (column > indent && column + 1 + word.size() > kColumns) {
      out += "\n" + std::string(indent, ' ');
      column = indent;
    } else if (column > indent) {
      out += ' ';
      ++column;
    }
    out += word;
    column += word.size();
  }
  return out + "\n";
}

// Lines of a name and what it is, the second column aligned.
std::string List(const std::vector<std::pair<std::string, std::string>>& rows) {
  size_t width = 0;
  for (const auto& row : rows) width = std::max(width, row.first.size());
  std::string out;
  for (const auto& [name, meaning] : rows) {
    const size_t indent = 2 + width + 2;
    out += absl::StrFormat("  %-*s  ", static_cast<int>(width), name);
    out += Wrap(meaning, indent, indent);
  }
  return out;
}

std::string OptionList(const std::vector<OptionSpec>& options) {
  std::vector<std::pair<std::string, std::string>> rows;
  for (const OptionSpec& option : options) {
    std::string name = option.letter == 0 ? "    --" : absl::StrFormat("-%c, --", option.letter);
    name += option.name;
    if (!option.value.empty()) name += " " + option.value;
    std::string help = option.help;
    if (!option.choices.empty()) help += ": " + absl::StrJoin(option.choices, ", ");
    rows.emplace_back(name, help);
  }
  return List(rows);
}

std::string_view TypeOf(model::FieldKind kind) {
  switch (kind) {
    case model::FieldKind::kText:
      return "text";
    case model::FieldKind::kTextual:
      return "text or number";
    case model::FieldKind::kChoice:
      return "one of";
    case model::FieldKind::kNumber:
      return "number";
    case model::FieldKind::kDuration:
      return "duration";
    case model::FieldKind::kBytes:
      return "size";
  }
  return "";
}

}  // namespace

std::string HelpOverview() {
  std::string out =
      "kindlingctl asks a Kindling controller who talks to whom, how well, and why not.\n\n"
      "Usage: kindlingctl COMMAND [OPTIONS]\n\n";
  std::vector<std::pair<std::string, std::string>> rows;
  for (const Command& command : Commands()) {
    const std::string arguments = command.arguments.empty() ? "" : " " + command.arguments;
    rows.emplace_back(command.name + arguments, command.summary);
  }
  rows.emplace_back("help [COMMAND]", "help on a command, or on \"filter\"");
  out += List(rows);
  out += "\nOptions that most commands take:\n" + OptionList(GlobalOptions(nullptr));
  out +=
      "\nExit status: 0 answered, 1 error, 2 wrong usage, 3 answered, but not from everything "
      "that\n"
      "happened: what is missing is said below the answer.\n\n"
      "Examples:\n";
  for (const Command& command : Commands()) {
    if (!command.examples.empty() && command.asks_controller) {
      out += "  " + command.examples.front().line + "\n";
    }
  }
  return out;
}

std::string HelpForGroup(const std::string& group) {
  std::vector<std::pair<std::string, std::string>> rows;
  for (const Command& command : Commands()) {
    if (!command.name.starts_with(group + " ")) continue;
    const std::string arguments = command.arguments.empty() ? "" : " " + command.arguments;
    rows.emplace_back(command.name + arguments, command.summary);
  }
  return "Usage: kindlingctl " + group + " WHAT [OPTIONS]\n\n" + List(rows);
}

std::string HelpFor(const Command& command) {
  std::string out = "Usage: kindlingctl " + command.name;
  if (!command.arguments.empty()) out += " " + command.arguments;
  out += " [OPTIONS]\n\n";
  std::string summary = command.summary;
  summary[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(summary[0])));
  out += Wrap(summary + ".", 0, 0);
  if (!command.details.empty()) out += Wrap(command.details, 0, 0);
  out += "\nOptions:\n";
  std::vector<OptionSpec> options = command.options;
  const std::vector<OptionSpec> global = GlobalOptions(&command);
  options.insert(options.end(), global.begin(), global.end());
  out += OptionList(options);
  if (!command.examples.empty()) {
    out += "\nExamples:\n";
    for (const Example& example : command.examples) {
      out += "  # " + example.meaning + "\n  " + example.line + "\n";
    }
  }
  return out;
}

std::string HelpForFilter() {
  std::string out =
      "A filter is one or more conditions; all must hold unless \"or\" is between them:\n\n"
      "  service=\"cart\" protocol=mysql latency>100ms status!=ok\n"
      "  (protocol in (http, redis) or slow) not endpoint=~\"^GET /health\"\n\n"
      "Operators: = != and, for text, =~ !~ (regular expression, matches anywhere); for numbers\n"
      "> >= < <=; \"in (a, b)\" and \"not in (a, b)\"; \"not\" or \"!\" before a condition.\n"
      "Durations have a unit: ns us ms s m h. Sizes may have one: B KB MB GB, KiB MiB GiB.\n"
      "Values with spaces, commas or parentheses go in quotes.\n\nFields:\n";
  std::vector<std::pair<std::string, std::string>> rows;
  for (const model::FilterFieldInfo& info : model::FilterFields()) {
    std::string name(info.name);
    if (info.field == model::FilterField::kAttribute) name += "NAME";
    std::string kind(TypeOf(info.kind));
    const std::vector<std::string> choices = model::ChoicesOf(info.field);
    if (!choices.empty()) kind += " " + absl::StrJoin(choices, ", ");
    rows.emplace_back(name, std::string(info.help) + " (" + kind + ")");
  }
  return out + List(rows);
}

}  // namespace kindling::ui
