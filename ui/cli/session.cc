#include "ui/cli/session.h"

#include <charconv>
#include <utility>

#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "base/status_macros.h"
#include "base/units.h"
#include "base/utf8.h"
#include "kindling/v1/query.pb.h"
#include "ui/cli/completeness.h"
#include "ui/cli/format.h"
#include "ui/cli/message_output.h"

namespace kindling::ui {
namespace {

// Of --timeout.
constexpr int64_t kLongestTimeoutNs = 3600LL * 1'000'000'000;

std::string Variable(const Environment& environment, const std::string& name) {
  const auto found = environment.variables.find(name);
  return found == environment.variables.end() ? "" : found->second;
}

bool LocaleIsUtf8(const Environment& environment) {
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    const std::string value = Variable(environment, name);
    if (value.empty()) continue;
    return value.find("UTF-8") != std::string::npos || value.find("utf8") != std::string::npos;
  }
  return false;
}

Style StyleOf(const Environment& environment) {
  Style style;
  style.unicode = LocaleIsUtf8(environment);
  style.color = environment.out_is_terminal && Variable(environment, "NO_COLOR").empty() &&
                Variable(environment, "TERM") != "dumb";
  return style;
}

}  // namespace

std::vector<OptionSpec> GlobalOptions(const Command* command) {
  std::vector<OptionSpec> options;
  // Without a command: every one of them, to parse before the command is known.
  if (command == nullptr || !command->formats.empty()) {
    options.push_back(
        {.name = "output",
         .letter = 'o',
         .value = "FORMAT",
         .help = "how to print the answer",
         .choices = command == nullptr ? std::vector<std::string>() : command->formats});
  }
  if (command == nullptr || command->takes_time) {
    options.push_back({.name = "since",
                       .value = "DURATION",
                       .help = "look this far back: 5m, 2h, all (default 15m)"});
    options.push_back(
        {.name = "from", .value = "TIME", .help = "start: 10:00, 2026-11-22T10:00:00Z, 30m (ago)"});
    options.push_back({.name = "to", .value = "TIME", .help = "end, as --from (default now)"});
  }
  if (command == nullptr || command->takes_filter) {
    options.push_back({.name = "filter",
                       .letter = 'f',
                       .value = "FILTER",
                       .help = "only what matches; see \"kindlingctl help filter\"",
                       .repeats = true});
  }
  if (command == nullptr || command->takes_limit) {
    options.push_back({.name = "limit", .value = "N", .help = "at most N rows"});
  }
  if (command == nullptr || command->asks_controller) {
    options.push_back({.name = "controller",
                       .value = "ADDRESS",
                       .help = "host:port of the controller (env KINDLING_CONTROLLER, default "
                               "127.0.0.1:7420)"});
    options.push_back({.name = "ca-file",
                       .value = "FILE",
                       .help = "use TLS, trusting this PEM file (env KINDLING_CA_FILE)"});
    options.push_back(
        {.name = "insecure", .help = "clear text to a controller that is not on this machine"});
    const absl::Duration timeout = command == nullptr ? Command().timeout : command->timeout;
    options.push_back(
        {.name = "timeout",
         .value = "DURATION",
         .help = "give up after this (default " + absl::FormatDuration(timeout) + ")"});
    options.push_back({.name = "utc", .help = "times in UTC instead of local time"});
  }
  options.push_back({.name = "help", .letter = 'h', .help = "show help"});
  return options;
}

absl::StatusOr<Globals> ParseGlobals(const Command& command, const ParsedArgs& args,
                                     const Environment& environment) {
  Globals globals;
  globals.style = StyleOf(environment);
  globals.zone = args.has("utc") ? absl::UTCTimeZone() : environment.zone;
  if (!command.formats.empty()) globals.format = args.value("output").value_or(command.formats[0]);

  globals.client.timeout = command.timeout;
  const std::string controller = Variable(environment, "KINDLING_CONTROLLER");
  if (!controller.empty()) globals.client.address = controller;
  globals.client.address = args.value("controller").value_or(globals.client.address);
  globals.client.ca_file =
      args.value("ca-file").value_or(Variable(environment, "KINDLING_CA_FILE"));
  globals.client.insecure = args.has("insecure");
  if (const auto text = args.value("timeout")) {
    const auto timeout_ns = base::ParseDurationNs(*text);
    if (!timeout_ns || *timeout_ns == 0 || *timeout_ns > kLongestTimeoutNs) {
      return absl::InvalidArgumentError(
          absl::StrFormat("--timeout: \"%s\" is no duration up to 1h; write 10s", *text));
    }
    globals.client.timeout = absl::Nanoseconds(*timeout_ns);
  }

  // Other commands may mean something else by the same words.
  if (command.takes_time) {
    ASSIGN_OR_RETURN(globals.range,
                     ParseTimeRange(args.value("since"), args.value("from"), args.value("to"),
                                    environment.clock.WallNs(), globals.zone));
  }
  if (const auto filters = args.options.find("filter"); filters != args.options.end()) {
    // Each in parentheses, so that an "or" inside one stays inside.
    std::vector<std::string> parts = filters->second;
    std::erase(parts, "");
    globals.filter =
        parts.size() < 2 ? absl::StrJoin(parts, "") : "(" + absl::StrJoin(parts, ") (") + ")";
    if (!base::IsValidUtf8(globals.filter)) {
      return absl::InvalidArgumentError("--filter: not valid UTF-8");
    }
  }
  if (const auto text = args.value("limit")) {
    const char* end = text->data() + text->size();
    const auto [stop, error] = std::from_chars(text->data(), end, globals.limit);
    if (error != std::errc() || stop != end || globals.limit == 0) {
      return absl::InvalidArgumentError(
          absl::StrFormat("--limit: \"%s\" is no number from 1 on", *text));
    }
  }
  return globals;
}

absl::StatusOr<Client*> Session::client() {
  if (client_ == nullptr) {
    ASSIGN_OR_RETURN(client_, Client::Create(globals_.client));
  }
  return client_.get();
}

v1::TimeRange Session::time_range() const {
  v1::TimeRange range;
  range.set_start_ns(globals_.range.start_ns);
  range.set_end_ns(globals_.range.end_ns);
  return range;
}

std::string Session::TimeInWords() const {
  const AskedRange& range = globals_.range;
  if (range.end_ns != 0) {
    return (range.start_ns == 0 ? "" : "from " + FormatTime(range.start_ns, globals_.zone) + " ") +
           "to " + FormatTime(range.end_ns, globals_.zone);
  }
  if (range.start_ns == 0) return "in the whole store";
  return "in the last " + base::FormatDurationNs(static_cast<double>(now_ns() - range.start_ns));
}

absl::StatusOr<bool> Session::PrintMessage(const google::protobuf::Message& message) const {
  if (format() == "json") {
    ASSIGN_OR_RETURN(const std::string json, ToJson(message));
    out() << json;
    return true;
  }
  if (format() == "yaml") {
    out() << ToYaml(message);
    return true;
  }
  return false;
}

ExitCode Session::PrintCompleteness(const v1::Completeness& completeness) const {
  out() << DescribeCompleteness(completeness, style());
  return IsPartial(completeness) ? ExitCode::kPartial : ExitCode::kOk;
}

}  // namespace kindling::ui
