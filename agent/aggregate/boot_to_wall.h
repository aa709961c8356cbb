#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace kindling::agent {

// Turns times of the boot clock, which kernel events carry, into wall time. Keeps a short history
// of the offset, so that a step of the wall clock does not move what happened before it.
//
// Threads: one.
// Limits:  the last 16 steps larger than 1 ms; smaller drift is followed without a step. Times
//          before the oldest known step use its offset.
class BootToWall {
 public:
  // Both clocks read at the same instant; `boot_ns` never goes back.
  void Update(int64_t boot_ns, int64_t wall_ns);

  // 0 before the first Update().
  int64_t ToWallNs(int64_t boot_ns) const;
  // The other way, by the newest offset.
  int64_t ToBootNs(int64_t wall_ns) const {
    return size_ == 0 ? 0 : wall_ns - steps_[size_ - 1].offset_ns;
  }

 private:
  static constexpr size_t kMaxSteps = 16;
  static constexpr int64_t kStepNs = 1'000'000;

  struct Step {
    int64_t from_boot_ns = 0;
    int64_t offset_ns = 0;
  };
  std::array<Step, kMaxSteps> steps_{};
  size_t size_ = 0;
};

}  // namespace kindling::agent
