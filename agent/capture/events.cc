#include "agent/capture/events.h"

#include <arpa/inet.h>

#include <algorithm>

namespace kindling::agent {

std::string ToString(const IpAddress& address) {
  static constexpr std::array<uint8_t, 12> kMapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
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
