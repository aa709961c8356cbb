// kindling-agent: captures on one node and sends to the controller.

#include <glog/logging.h>

#include <atomic>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/time/time.h"
#include "agent/config.h"
#include "agent/kernel/doctor.h"
#include "agent/live.h"
#include "agent/replay.h"
#include "base/version.h"

namespace {

constexpr char kUsage[] = R"(usage: kindling-agent [COMMAND] [OPTIONS]

Watches the sockets and processes in its scope and sends what it learns to a controller.

Commands:
  run                  capture until SIGTERM or SIGINT (the default)
  doctor               what this kernel gives and lacks for capture
  record               capture and also write a recording
  replay FILE          play a recording through the same pipeline; needs no root

Options:
  --config FILE        configuration, YAML (default /etc/kindling/agent.yaml)
  --log-level LEVEL    info, warning or error (default warning)
  --version            print the version
  --help               print this

Of record:
  --out FILE           the recording; required
  --raw                keep payload as it is, instead of masking values in place
  --for DURATION       stop by itself, for example 30s

Of replay:
  --time original|shift  times as recorded, or moved so that the recording ends now (default original)

Examples:
  kindling-agent doctor
  kindling-agent --config agent.yaml
  kindling-agent record --config agent.yaml --out demo.krec --for 30s
  kindling-agent replay demo.krec --time shift
)";

constexpr char kDefaultConfig[] = "/etc/kindling/agent.yaml";
constexpr int kExitError = 1;
constexpr int kExitUsage = 2;

std::atomic<bool> stop{false};
void OnSignal(int /*signal*/) { stop = true; }

struct CommandLine {
  std::string command = "run";
  std::vector<std::string> operands;
  std::map<std::string, std::string> options;
};

// Flags without a value. The others take one, as "--name value" or "--name=value".
bool IsSwitch(std::string_view name) {
  return name == "--raw" || name == "--version" || name == "--help";
}
bool IsOption(std::string_view name) {
  return name == "--config" || name == "--log-level" || name == "--out" || name == "--for" ||
         name == "--time";
}

std::optional<std::string> Parse(int argc, char** argv, CommandLine* line) {
  bool has_command = false;
  for (int i = 1; i < argc; ++i) {
    std::string word = argv[i];
    if (word == "-h") word = "--help";
    if (!word.starts_with("--")) {
      if (has_command) {
        line->operands.push_back(word);
      } else {
        line->command = word;
        has_command = true;
      }
      continue;
    }
    std::string value;
    const size_t equals = word.find('=');
    const std::string name = word.substr(0, equals);
    if (IsSwitch(name) && equals == std::string::npos) {
      line->options[name] = "";
      continue;
    }
    if (!IsOption(name)) return "unknown option " + word;
    if (equals != std::string::npos) {
      value = word.substr(equals + 1);
    } else if (i + 1 < argc) {
      value = argv[++i];
    } else {
      return name + " needs a value";
    }
    line->options[name] = value;
  }
  return std::nullopt;
}

int Usage(const std::string& what) {
  std::fprintf(stderr, "kindling-agent: %s; try kindling-agent --help\n", what.c_str());
  return kExitUsage;
}

int Fail(const absl::Status& status) {
  std::fprintf(stderr, "kindling-agent: %s\n", std::string(status.message()).c_str());
  return kExitError;
}

// What was given that the command does not take; nullopt when all is in place.
std::optional<std::string> Misplaced(const CommandLine& line) {
  if (!line.operands.empty() && line.command != "replay") {
    return line.command + " takes no " + line.operands[0];
  }
  for (const auto& [name, value] : line.options) {
    const bool is_records = name == "--out" || name == "--raw";
    const bool is_replays = name == "--time";
    if ((is_records && line.command != "record") || (is_replays && line.command != "replay")) {
      return line.command + " takes no " + name;
    }
  }
  return std::nullopt;
}

int Doctor(const CommandLine& line) {
  std::vector<std::string> disabled;
  if (const auto path = line.options.find("--config"); path != line.options.end()) {
    const auto config = kindling::agent::LoadAgentConfig(path->second, /*needs_scope=*/false);
    if (!config.ok()) return Fail(config.status());
    disabled = {config->capture().disable().begin(), config->capture().disable().end()};
  }
  const std::vector<kindling::agent::DoctorRow> rows = kindling::agent::Examine(disabled);
  std::fputs(kindling::agent::ToText(rows).c_str(), stdout);
  return kindling::agent::CanCapture(rows) ? 0 : kExitError;
}

int Replay(const CommandLine& line) {
  if (line.operands.size() != 1) return Usage("replay takes one recording");
  kindling::agent::ReplayOptions options{.path = line.operands[0]};
  if (const auto time = line.options.find("--time"); time != line.options.end()) {
    if (time->second != "original" && time->second != "shift") {
      return Usage("--time takes original or shift");
    }
    options.shift_to_now = time->second == "shift";
  }
  // Without a configuration: the default controller, and a spool that goes with the run.
  std::string spool = "/tmp/kindling-replay-XXXXXX";
  const bool has_config = line.options.contains("--config");
  if (!has_config && mkdtemp(spool.data()) == nullptr) {
    return Fail(absl::InternalError("cannot make a directory in /tmp"));
  }
  auto config = has_config ? kindling::agent::LoadAgentConfig(line.options.at("--config"), false)
                           : kindling::agent::ParseAgentConfig("spool: {directory: " + spool + "}",
                                                               "defaults", false);
  if (!config.ok()) return Fail(config.status());
  const absl::Status status = kindling::agent::Replay(*config, options);
  std::error_code ignored;
  if (!has_config) std::filesystem::remove_all(spool, ignored);
  return status.ok() ? 0 : Fail(status);
}

int Run(const CommandLine& line, bool record) {
  kindling::agent::LiveOptions options;
  if (record) {
    const auto out = line.options.find("--out");
    if (out == line.options.end()) return Usage("record needs --out FILE");
    options.record_path = out->second;
    options.record_raw = line.options.contains("--raw");
  }
  if (const auto duration = line.options.find("--for"); duration != line.options.end()) {
    if (!absl::ParseDuration(duration->second, &options.duration)) {
      return Usage("--for takes a duration such as 30s or 5m");
    }
  }
  const auto given = line.options.find("--config");
  const std::string path = given == line.options.end() ? kDefaultConfig : given->second;
  const auto config = kindling::agent::LoadAgentConfig(path, /*needs_scope=*/true);
  if (!config.ok()) return Fail(config.status());
  std::ifstream file(path, std::ios::binary);
  options.config_yaml.assign(std::istreambuf_iterator<char>(file), {});

  struct sigaction action {};
  action.sa_handler = OnSignal;
  sigaction(SIGTERM, &action, nullptr);
  sigaction(SIGINT, &action, nullptr);
  const absl::Status status = kindling::agent::RunLive(*config, options, stop);
  return status.ok() ? 0 : Fail(status);
}

}  // namespace

int main(int argc, char** argv) {
  CommandLine line;
  if (const auto fault = Parse(argc, argv, &line)) return Usage(*fault);
  if (line.options.contains("--help") || line.command == "help") {
    std::fputs(kUsage, stdout);
    return 0;
  }
  if (line.options.contains("--version") || line.command == "version") {
    std::printf("kindling-agent %s\n", std::string(kindling::base::kSoftwareVersion).c_str());
    return 0;
  }
  FLAGS_logtostderr = true;
  FLAGS_minloglevel = 1;
  if (const auto level = line.options.find("--log-level"); level != line.options.end()) {
    if (level->second == "info") {
      FLAGS_minloglevel = 0;
    } else if (level->second == "error") {
      FLAGS_minloglevel = 2;
    } else if (level->second != "warning") {
      return Usage("--log-level takes info, warning or error");
    }
  }
  google::InitGoogleLogging(argv[0]);

  if (const auto fault = Misplaced(line)) return Usage(*fault);
  if (line.command == "doctor") return Doctor(line);
  if (line.command == "replay") return Replay(line);
  if (line.command == "record") return Run(line, /*record=*/true);
  if (line.command == "run") return Run(line, /*record=*/false);
  return Usage("unknown command " + line.command);
}
