#include "ui/cli/args.h"

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "base/status_macros.h"
#include "base/suggest.h"

namespace kindling::ui {
namespace {

const OptionSpec* FindName(std::span<const OptionSpec> specs, std::string_view name) {
  for (const OptionSpec& spec : specs) {
    if (spec.name == name) return &spec;
  }
  return nullptr;
}

const OptionSpec* FindLetter(std::span<const OptionSpec> specs, char letter) {
  for (const OptionSpec& spec : specs) {
    if (spec.letter != 0 && spec.letter == letter) return &spec;
  }
  return nullptr;
}

absl::Status Unknown(std::span<const OptionSpec> specs, const std::string& name) {
  std::vector<std::string> names;
  for (const OptionSpec& spec : specs) names.push_back(spec.name);
  const std::string near = base::Suggest(name, names);
  return absl::InvalidArgumentError("unknown option --" + name +
                                    (near.empty() ? "" : "; did you mean --" + near + "?"));
}

absl::Status Store(const OptionSpec& spec, std::string value, ParsedArgs* out) {
  if (!spec.choices.empty() &&
      std::find(spec.choices.begin(), spec.choices.end(), value) == spec.choices.end()) {
    return absl::InvalidArgumentError(absl::StrFormat("--%s is one of %s, not \"%s\"", spec.name,
                                                      absl::StrJoin(spec.choices, ", "), value));
  }
  std::vector<std::string>& values = out->options[spec.name];
  if (!values.empty() && !spec.repeats) {
    return absl::InvalidArgumentError("--" + spec.name + " is given twice");
  }
  values.push_back(std::move(value));
  return absl::OkStatus();
}

}  // namespace

std::optional<std::string> ParsedArgs::value(std::string_view name) const {
  const auto found = options.find(name);
  if (found == options.end()) return std::nullopt;
  return found->second.back();
}

absl::StatusOr<ParsedArgs> ParseArgs(std::span<const std::string> args,
                                     std::span<const OptionSpec> specs) {
  ParsedArgs parsed;
  for (size_t i = 0; i < args.size(); ++i) {
    const std::string& arg = args[i];
    if (arg == "--") {
      parsed.words.insert(parsed.words.end(), args.begin() + i + 1, args.end());
      break;
    }
    if (arg.size() < 2 || arg[0] != '-') {
      parsed.words.push_back(arg);
      continue;
    }
    const OptionSpec* spec = nullptr;
    std::optional<std::string> value;
    if (arg[1] == '-') {
      const size_t equals = arg.find('=');
      const std::string name = arg.substr(2, equals == std::string::npos ? equals : equals - 2);
      if (equals != std::string::npos) value = arg.substr(equals + 1);
      spec = FindName(specs, name);
      if (spec == nullptr) return Unknown(specs, name);
    } else {
      spec = FindLetter(specs, arg[1]);
      if (spec == nullptr) {
        return absl::InvalidArgumentError(absl::StrFormat("unknown option -%c", arg[1]));
      }
      if (arg.size() > 2) value = arg.substr(arg[2] == '=' ? 3 : 2);
    }
    if (spec->value.empty()) {
      if (value) return absl::InvalidArgumentError("--" + spec->name + " takes no value");
      value = "";
    } else if (!value) {
      if (i + 1 == args.size()) {
        return absl::InvalidArgumentError("--" + spec->name + " needs a value: " + spec->value);
      }
      value = args[++i];
    }
    RETURN_IF_ERROR(Store(*spec, *std::move(value), &parsed));
  }
  return parsed;
}

}  // namespace kindling::ui
