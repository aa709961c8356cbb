#pragma once

#include <cstdint>

namespace kindling::base {

// Source of time, injected so that tests and replay own it.
// Threads: implementations are safe to call from any thread.
class Clock {
 public:
  virtual ~Clock() = default;
  // CLOCK_BOOTTIME, the clock of kernel events; ns since boot.
  virtual int64_t BootNs() const = 0;
  // CLOCK_REALTIME; ns since the Unix epoch.
  virtual int64_t WallNs() const = 0;
};

// The machine's clocks. Never null, lives for the whole process.
const Clock& SystemClock();

}  // namespace kindling::base
