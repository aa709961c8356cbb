#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

namespace kindling::controller {

// What the controller runs with; api/kindling/config/v1/controller.proto documents each.
struct ControllerOptions {
  std::string listen = "127.0.0.1:7420";
  std::string certificate_file;  // empty: clear text
  std::string key_file;
  std::string data_directory = "/var/lib/kindling/controller";
  uint64_t max_bytes = uint64_t{10} << 30;
  int64_t max_age_ns = int64_t{7} * 24 * 3600 * 1'000'000'000;
  std::string cluster = "default";
  std::string metrics_listen;  // empty: none
};

// The options from a YAML file; with an empty path, the defaults. `listen`, unless empty, stands
// for the file's.
//
// Failure: INVALID_ARGUMENT with every fault of the file, one a line.
absl::StatusOr<ControllerOptions> LoadOptions(const std::string& path, const std::string& listen);

}  // namespace kindling::controller
