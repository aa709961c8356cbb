#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "model/protocol.h"

namespace kindling::agent {

// A request is slow when it takes longer than its protocol's threshold. Defaults are Kindling's.
class SlowThresholds {
 public:
  SlowThresholds() {
    SetDefaultNs(500'000'000);
    SetNs(model::Protocol::kMysql, 100'000'000);
    SetNs(model::Protocol::kRedis, 100'000'000);
    SetNs(model::Protocol::kDns, 100'000'000);
  }

  // For every protocol: set single ones after it.
  void SetDefaultNs(int64_t ns) { ns_.fill(ns); }
  void SetNs(model::Protocol protocol, int64_t ns) { ns_[Index(protocol)] = ns; }
  int64_t Ns(model::Protocol protocol) const { return ns_[Index(protocol)]; }

 private:
  static size_t Index(model::Protocol protocol) {
    return static_cast<size_t>(protocol) % kProtocols;
  }
  static constexpr size_t kProtocols = 256;
  std::array<int64_t, kProtocols> ns_{};
};

}  // namespace kindling::agent
