#include "base/clock.h"

#include <ctime>

namespace kindling::base {
namespace {

int64_t ReadNs(clockid_t id) {
  timespec now{};
  clock_gettime(id, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

class MachineClock final : public Clock {
 public:
  int64_t BootNs() const override { return ReadNs(CLOCK_BOOTTIME); }
  int64_t WallNs() const override { return ReadNs(CLOCK_REALTIME); }
};

}  // namespace

const Clock& SystemClock() {
  static const MachineClock clock;
  return clock;
}

}  // namespace kindling::base
