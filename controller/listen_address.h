#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace kindling::controller {

// Where to listen: "127.0.0.1:7420", "[::1]:7420", "localhost:7420".
struct ListenAddress {
  std::string host;  // without brackets
  uint16_t port = 0;

  std::string ToString() const;
  // True when only this machine can reach it.
  bool IsLoopback() const;
};

// INVALID_ARGUMENT saying what is expected.
absl::StatusOr<ListenAddress> ParseListenAddress(std::string_view text);

// Why nobody can listen on the address right now, in one line that says what to do; OK if one can.
absl::Status ListenFault(const ListenAddress& address);

}  // namespace kindling::controller
