#pragma once

#include <atomic>

#include "base/clock.h"

namespace kindling::base {

// A clock that moves only when told to. Threads: safe from any.
class FakeClock final : public Clock {
 public:
  explicit FakeClock(int64_t boot_ns = 1'000'000'000, int64_t wall_ns = 1'700'000'000'000'000'000)
      : boot_ns_(boot_ns), boot_to_wall_ns_(wall_ns - boot_ns) {}

  int64_t BootNs() const override { return boot_ns_; }
  int64_t WallNs() const override { return boot_ns_ + boot_to_wall_ns_; }
  void Advance(int64_t ns) { boot_ns_ += ns; }

 private:
  std::atomic<int64_t> boot_ns_;
  const int64_t boot_to_wall_ns_;
};

}  // namespace kindling::base
