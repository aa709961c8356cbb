#include "controller/config.h"

#include <algorithm>
#include <filesystem>

#include "absl/strings/str_format.h"
#include "base/status_macros.h"
#include "base/yaml_config.h"
#include "controller/listen_address.h"
#include "kindling/config/v1/controller.pb.h"

namespace kindling::controller {
namespace {

constexpr uint64_t kLeastBytes = 16 << 20;
constexpr uint64_t kLeastMemoryBytes = 64 << 20;
constexpr uint64_t kLeastBucketS = 60;
constexpr uint64_t kDayS = uint64_t{24} * 3600;
constexpr int64_t kSecondNs = 1'000'000'000;
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

// What an age is when the file says nothing of it: the default, at least that of the finer class,
// at most that of everything.
int64_t AgeNs(uint64_t age_s, int64_t default_ns, int64_t finer_ns, uint64_t max_age_s) {
  int64_t age_ns =
      age_s == 0 ? std::max(default_ns, finer_ns) : static_cast<int64_t>(age_s) * kSecondNs;
  if (max_age_s != 0) age_ns = std::min(age_ns, static_cast<int64_t>(max_age_s) * kSecondNs);
  return age_ns;
}

StorageOptions OptionsOf(const config::v1::StorageLimits& in) {
  StorageOptions out;
  if (in.max_bytes() != 0) out.max_bytes = in.max_bytes();
  if (in.memory_limit_bytes() != 0) out.memory_limit_bytes = in.memory_limit_bytes();
  if (in.bucket_s() != 0) out.bucket_ns = static_cast<int64_t>(in.bucket_s()) * kSecondNs;
  const auto age = [&in](uint64_t age_s, int64_t& age_ns, int64_t finer_ns = 0) {
    age_ns = AgeNs(age_s, age_ns, finer_ns, in.max_age_s());
  };
  age(in.span_max_age_s(), out.span_max_age_ns);
  age(in.events_max_age_s(), out.events_max_age_ns);
  age(in.series_10s_max_age_s(), out.series_10s_max_age_ns);
  age(in.series_1m_max_age_s(), out.series_1m_max_age_ns, out.series_10s_max_age_ns);
  age(in.series_1h_max_age_s(), out.series_1h_max_age_ns, out.series_1m_max_age_ns);
  out.backup_directory = in.backup_directory();
  return out;
}

void CheckAges(const config::v1::StorageLimits& storage, base::ConfigFaults& faults) {
  bool is_sound = true;
  const auto check = [&](const char* name, uint64_t age_s) {
    if (age_s == 0 || (age_s >= kLeastAgeS && age_s <= kMostAgeS)) return;
    faults.Add(name, "must be between 60 and 100 years");
    is_sound = false;
  };
  check("storage.max_age_s", storage.max_age_s());
  check("storage.span_max_age_s", storage.span_max_age_s());
  check("storage.series_10s_max_age_s", storage.series_10s_max_age_s());
  check("storage.series_1m_max_age_s", storage.series_1m_max_age_s());
  check("storage.series_1h_max_age_s", storage.series_1h_max_age_s());
  check("storage.events_max_age_s", storage.events_max_age_s());
  if (!is_sound) return;
  // Sums have to be there when what they sum has gone.
  const StorageOptions options = OptionsOf(storage);
  if (options.series_1m_max_age_ns < options.series_10s_max_age_ns) {
    faults.Add("storage.series_1m_max_age_s", "must be at least series_10s_max_age_s");
  }
  if (options.series_1h_max_age_ns < options.series_1m_max_age_ns) {
    faults.Add("storage.series_1h_max_age_s", "must be at least series_1m_max_age_s");
  }
}

void CheckStorage(const config::v1::StorageLimits& storage, base::ConfigFaults& faults) {
  if (storage.max_bytes() != 0 && storage.max_bytes() < kLeastBytes) {
    faults.Add("storage.max_bytes", absl::StrFormat("must be at least %d (16 MiB)", kLeastBytes));
  }
  CheckAges(storage, faults);
  const uint64_t bucket_s = storage.bucket_s();
  if (bucket_s != 0 && (bucket_s < kLeastBucketS || kDayS % bucket_s != 0)) {
    faults.Add("storage.bucket_s", "must be between 60 and 86400 and divide a day, such as 3600");
  }
  if (storage.memory_limit_bytes() != 0 && storage.memory_limit_bytes() < kLeastMemoryBytes) {
    faults.Add("storage.memory_limit_bytes",
               absl::StrFormat("must be at least %d (64 MiB)", kLeastMemoryBytes));
  }
  const std::string& backups = storage.backup_directory();
  if (!backups.empty() && !std::filesystem::path(backups).is_absolute()) {
    faults.Add("storage.backup_directory", "must be a whole path, beginning with /");
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
  CheckStorage(config.storage(), faults);
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
  options.storage = OptionsOf(config.storage());
  if (!config.cluster().empty()) options.cluster = config.cluster();
  options.metrics_listen = config.metrics_listen();
  return options;
}

}  // namespace kindling::controller
