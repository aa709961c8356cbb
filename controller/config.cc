#include "controller/config.h"

#include <algorithm>

#include "absl/strings/str_format.h"
#include "base/status_macros.h"
#include "base/yaml_config.h"
#include "controller/listen_address.h"
#include "kindling/config/v1/controller.pb.h"

namespace kindling::controller {
namespace {

constexpr uint64_t kLeastBytes = 16 << 20;
constexpr uint64_t kLeastAgeS = 60;
constexpr uint64_t kMostAgeS = uint64_t{100} * 365 * 24 * 3600;
constexpr size_t kMaxClusterBytes = 32;

bool IsClusterName(const std::string& name) {
  return name.size() <= kMaxClusterBytes && std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
                  c == '.';
         });
}

void CheckListen(const config::v1::ControllerConfig& config, base::ConfigFaults& faults) {
  if (config.listen().empty()) return;
  const absl::StatusOr<ListenAddress> address = ParseListenAddress(config.listen());
  if (!address.ok()) {
    faults.Add("listen", std::string(address.status().message()));
  } else if (!address->IsLoopback() && !config.has_tls() && !config.insecure()) {
    faults.Add("listen", absl::StrFormat(
                             "%s can be reached from other machines: set tls, or insecure: true to "
                             "accept clear text",
                             config.listen()));
  }
}

void Check(const config::v1::ControllerConfig& config, base::ConfigFaults& faults) {
  CheckListen(config, faults);
  if (config.has_tls()) {
    if (config.tls().certificate_file().empty()) {
      faults.Add("tls.certificate_file", "is needed with tls");
    }
    if (config.tls().key_file().empty()) faults.Add("tls.key_file", "is needed with tls");
  }
  const config::v1::StorageLimits& storage = config.storage();
  if (storage.max_bytes() != 0 && storage.max_bytes() < kLeastBytes) {
    faults.Add("storage.max_bytes", absl::StrFormat("must be at least %d (16 MiB)", kLeastBytes));
  }
  if (storage.max_age_s() != 0 &&
      (storage.max_age_s() < kLeastAgeS || storage.max_age_s() > kMostAgeS)) {
    faults.Add("storage.max_age_s", "must be between 60 and 100 years");
  }
  if (!IsClusterName(config.cluster())) {
    faults.Add("cluster", "must be at most 32 of a-z, 0-9, '-', '_' and '.'");
  }
  if (!config.metrics_listen().empty()) {
    const absl::StatusOr<ListenAddress> address = ParseListenAddress(config.metrics_listen());
    if (!address.ok()) faults.Add("metrics_listen", std::string(address.status().message()));
  }
}

}  // namespace

absl::StatusOr<ControllerOptions> LoadOptions(const std::string& path, const std::string& listen) {
  config::v1::ControllerConfig config;
  const auto check = [&](base::ConfigFaults& faults) {
    if (!listen.empty()) config.set_listen(listen);
    Check(config, faults);
  };
  RETURN_IF_ERROR(path.empty() ? base::ParseYamlConfig("", "(defaults)", &config, check)
                               : base::LoadYamlConfig(path, &config, check));
  ControllerOptions options;
  if (!config.listen().empty()) options.listen = config.listen();
  options.certificate_file = config.tls().certificate_file();
  options.key_file = config.tls().key_file();
  if (!config.data_directory().empty()) options.data_directory = config.data_directory();
  if (config.storage().max_bytes() != 0) options.max_bytes = config.storage().max_bytes();
  if (config.storage().max_age_s() != 0) {
    options.max_age_ns = static_cast<int64_t>(config.storage().max_age_s()) * 1'000'000'000;
  }
  if (!config.cluster().empty()) options.cluster = config.cluster();
  options.metrics_listen = config.metrics_listen();
  return options;
}

}  // namespace kindling::controller
