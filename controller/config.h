#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

namespace kindling::controller {

struct StorageOptions {
  static constexpr int64_t kHourNs = int64_t{3600} * 1'000'000'000;
  static constexpr int64_t kDayNs = 24 * kHourNs;

  uint64_t max_bytes = uint64_t{10} << 30;
  uint64_t memory_limit_bytes = uint64_t{1} << 30;
  int64_t bucket_ns = kHourNs;  // of spans and of series by 10 s
  int64_t span_max_age_ns = 7 * kDayNs;
  int64_t series_10s_max_age_ns = 7 * kDayNs;
  int64_t series_1m_max_age_ns = 30 * kDayNs;
  int64_t series_1h_max_age_ns = 365 * kDayNs;
  int64_t events_max_age_ns = 30 * kDayNs;
  std::string backup_directory;  // empty: backups are refused
};

// What the controller runs with; api/kindling/config/v1/controller.proto documents each.
struct ControllerOptions {
  std::string listen = "127.0.0.1:7420";
  std::string certificate_file;  // empty: clear text
  std::string key_file;
  std::string data_directory = "/var/lib/kindling/controller";
  StorageOptions storage;
  std::string cluster = "default";
  std::string metrics_listen;  // empty: none
};

// Where the store is in the data directory.
inline std::string StoreDirectory(const std::string& data_directory) {
  return data_directory + "/store";
}

// The options from a YAML file; with an empty path, the defaults. `listen`, unless empty, stands
// for the file's.
//
// Failure: INVALID_ARGUMENT with every fault of the file, one a line.
absl::StatusOr<ControllerOptions> LoadOptions(const std::string& path, const std::string& listen);

}  // namespace kindling::controller
