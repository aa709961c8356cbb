#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace grpc {
class Channel;
}

namespace kindling::agent {

// Where the controller is, as the configuration has it.
struct ControllerAddress {
  std::string address = "127.0.0.1:7420";
  std::string ca_file;    // PEM; TLS when set
  bool insecure = false;  // clear text to an address that is not loopback
};

// A connection of its own to the controller, made when it is used and made again when it is lost.
// INVALID_ARGUMENT the address needs ca_file or insecure; or ca_file cannot be read.
absl::StatusOr<std::shared_ptr<grpc::Channel>> OpenControllerChannel(
    const ControllerAddress& controller);

}  // namespace kindling::agent
