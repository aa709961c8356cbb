#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <string>

namespace kindling::agent {

struct IpAddress {
  std::array<uint8_t, 16> bytes{};  // IPv4 in the first four
  uint8_t size = 0;                 // 0: none, 4 or 16
  auto operator<=>(const IpAddress&) const = default;
};
// "10.0.0.1", "fe80::1"; IPv4-mapped IPv6 prints as IPv4; "" for none.
std::string ToString(const IpAddress& address);
// IPv4-mapped IPv6 as IPv4, so that both ends of a dual-stack connection agree.
IpAddress Unmapped(const IpAddress& address);
// 127.0.0.0/8, ::1 and IPv4-mapped loopback.
bool IsLoopback(const IpAddress& address);
// 0.0.0.0, ::, and none at all.
bool IsWildcard(const IpAddress& address);

}  // namespace kindling::agent
