// kindling-controller: takes records from agents, stores them, answers questions about them.

#include <glog/logging.h>
#include <signal.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/version.h"
#include "controller/config.h"
#include "controller/controller.h"
#include "storage/restore.h"

namespace {

constexpr char kHelp[] =
    R"(kindling-controller takes records from Kindling's agents, stores them and answers questions about them.

  kindling-controller [--config FILE] [--listen HOST:PORT] [--log-level info|warning|error]
  kindling-controller restore --from DIR [--to DATA_DIRECTORY | --config FILE]

  --config FILE       YAML; without it everything has its default
  --listen HOST:PORT  where to serve gRPC, instead of the file's listen (default 127.0.0.1:7420)
  --log-level LEVEL   info, warning or error (default info)
  --version           print the version and exit
  --help              print this and exit

SIGTERM and SIGINT end it cleanly: what was received is made durable and acknowledged first.

restore makes the store of a controller that is not running out of a backup ("kindlingctl store backup"), and
starts nothing. The store has an id of its own: agents send again what they still have and the backup lacks.

  --from DIR            the backup; it stays as it is
  --to DATA_DIRECTORY   instead of the file's data_directory; must have no store
)";

constexpr int kUsageError = 2;

struct Flags {
  bool restore = false;
  std::string from;
  std::string to;
  std::string config;
  std::string listen;
  std::string log_level = "info";
};

int UsageError(const std::string& what) {
  std::fprintf(stderr, "kindling-controller: %s (see --help)\n", what.c_str());
  return kUsageError;
}

// Where the value of an option goes; null: there is no such option.
std::string* Target(std::string_view name, Flags* flags) {
  if (name == "--config") return &flags->config;
  if (name == "--log-level") return &flags->log_level;
  if (!flags->restore) return name == "--listen" ? &flags->listen : nullptr;
  if (name == "--from") return &flags->from;
  return name == "--to" ? &flags->to : nullptr;
}

// -1: go on; else the exit code.
int ParseFlags(int argc, char** argv, Flags* flags) {
  flags->restore = argc > 1 && std::string_view(argv[1]) == "restore";
  for (int i = flags->restore ? 2 : 1; i < argc; ++i) {
    std::string_view name = argv[i];
    if (name == "--help" || name == "-h") {
      std::fputs(kHelp, stdout);
      return EXIT_SUCCESS;
    }
    if (name == "--version") {
      std::printf("kindling-controller %s\n",
                  std::string(kindling::base::kSoftwareVersion).c_str());
      return EXIT_SUCCESS;
    }
    std::string value;
    const size_t equals = name.find('=');
    const bool has_value = equals != std::string_view::npos;
    if (has_value) value = name.substr(equals + 1);
    name = name.substr(0, equals);
    std::string* target = Target(name, flags);
    if (target == nullptr) return UsageError("unknown argument " + std::string(argv[i]));
    if (!has_value) {
      if (i + 1 == argc) return UsageError(std::string(name) + " needs a value");
      value = argv[++i];
    }
    if (value.empty()) return UsageError(std::string(name) + " needs a value");
    *target = value;
  }
  if (flags->restore && flags->from.empty()) return UsageError("restore needs --from");
  return -1;
}

bool SetUpLogging(const std::string& level) {
  FLAGS_logtostderr = true;
  if (level == "info") {
    FLAGS_minloglevel = google::GLOG_INFO;
  } else if (level == "warning") {
    FLAGS_minloglevel = google::GLOG_WARNING;
  } else if (level == "error") {
    FLAGS_minloglevel = google::GLOG_ERROR;
  } else {
    return false;
  }
  google::InitGoogleLogging("kindling-controller");
  return true;
}

int Fail(const absl::Status& status) {
  std::fprintf(stderr, "kindling-controller: %s\n", std::string(status.message()).c_str());
  return EXIT_FAILURE;
}

int Restore(const Flags& flags) {
  std::string data_directory = flags.to;
  if (data_directory.empty()) {
    const auto options = kindling::controller::LoadOptions(flags.config, "");
    if (!options.ok()) return Fail(options.status());
    data_directory = options->data_directory;
  }
  const std::string store = kindling::controller::StoreDirectory(data_directory);
  const absl::Status status = kindling::storage::RestoreStore(flags.from, store);
  if (!status.ok()) return Fail(status);
  std::fprintf(stderr, "restored %s from %s\n", store.c_str(), flags.from.c_str());
  return EXIT_SUCCESS;
}

}  // namespace

int main(int argc, char** argv) {
  Flags flags;
  if (const int exit_code = ParseFlags(argc, argv, &flags); exit_code >= 0) return exit_code;
  if (!SetUpLogging(flags.log_level)) return UsageError("--log-level is info, warning or error");

  if (flags.restore) return Restore(flags);

  // Before there are threads, so that all of them leave these to sigwait below.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);

  const auto options = kindling::controller::LoadOptions(flags.config, flags.listen);
  if (!options.ok()) return Fail(options.status());
  const auto controller =
      kindling::controller::Controller::Start(*options, kindling::base::SystemClock());
  if (!controller.ok()) return Fail(controller.status());
  std::fprintf(stderr, "ready: listening on %s\n", (*controller)->address().c_str());

  int received = 0;
  sigwait(&signals, &received);
  // A second signal ends it at once.
  pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
  (*controller)->Shutdown();
  return EXIT_SUCCESS;
}
