#include "agent/capture/events.h"

#include <arpa/inet.h>

#include <algorithm>

namespace kindling::agent {

namespace {

constexpr std::array<uint8_t, 12> kMapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

}  // namespace

IpAddress Unmapped(const IpAddress& address) {
  if (address.size != 16 || !std::equal(kMapped.begin(), kMapped.end(), address.bytes.begin())) {
    return address;
  }
  IpAddress ipv4{.size = 4};
  std::copy_n(address.bytes.begin() + 12, 4, ipv4.bytes.begin());
  return ipv4;
}

bool IsLoopback(const IpAddress& address) {
  const IpAddress plain = Unmapped(address);
  if (plain.size == 4) return plain.bytes[0] == 127;
  return plain.size == 16 && plain.bytes[15] == 1 &&
         std::all_of(plain.bytes.begin(), plain.bytes.begin() + 15,
                     [](uint8_t b) { return b == 0; });
}

bool IsWildcard(const IpAddress& address) {
  return std::all_of(address.bytes.begin(), address.bytes.end(), [](uint8_t b) { return b == 0; });
}

std::string ToString(const Endpoint& endpoint) {
  const std::string address = ToString(endpoint.address);
  const std::string port = ":" + std::to_string(endpoint.port);
  return address.find(':') == std::string::npos ? address + port : "[" + address + "]" + port;
}

std::string ToString(const IpAddress& address) {
  char text[INET6_ADDRSTRLEN] = "";
  if (address.size == 4) {
    inet_ntop(AF_INET, address.bytes.data(), text, sizeof(text));
  } else if (address.size == 16) {
    const bool mapped = std::equal(kMapped.begin(), kMapped.end(), address.bytes.begin());
    inet_ntop(mapped ? AF_INET : AF_INET6, address.bytes.data() + (mapped ? 12 : 0), text,
              sizeof(text));
  }
  return text;
}

std::string_view Name(CongestionState state) {
  switch (state) {
    case CongestionState::kOpen:
      return "open";
    case CongestionState::kDisorder:
      return "disorder";
    case CongestionState::kReduced:
      return "reduced";
    case CongestionState::kRecovery:
      return "recovery";
    case CongestionState::kLoss:
      return "loss";
  }
  return "";
}

}  // namespace kindling::agent
