#include "agent/aggregate/boot_to_wall.h"

#include <algorithm>

namespace kindling::agent {

void BootToWall::Update(int64_t boot_ns, int64_t wall_ns) {
  const int64_t offset_ns = wall_ns - boot_ns;
  if (size_ > 0) {
    const int64_t change_ns = offset_ns - steps_[size_ - 1].offset_ns;
    if (change_ns >= -kStepNs && change_ns <= kStepNs) {
      steps_[size_ - 1].offset_ns = offset_ns;
      return;
    }
  }
  if (size_ == kMaxSteps) {
    std::move(steps_.begin() + 1, steps_.end(), steps_.begin());
    --size_;
  }
  steps_[size_++] = {boot_ns, offset_ns};
}

int64_t BootToWall::ToWallNs(int64_t boot_ns) const {
  if (size_ == 0) return 0;
  size_t step = size_ - 1;
  while (step > 0 && boot_ns < steps_[step].from_boot_ns) --step;
  return boot_ns + steps_[step].offset_ns;
}

}  // namespace kindling::agent
