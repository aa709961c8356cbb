#pragma once

#include <cstdint>
#include <numeric>
#include <vector>

#include "storage/blocks/number_model.h"

namespace kindling::storage {

// The times of the rows of one series after another. Those of a series are mostly the ones of the
// series before, or an even grid; both cost next to nothing.
//
// Limits: the decoder fails on more than `most` times, and on times that go back.
class SeriesTimes {
 public:
  explicit SeriesTimes(int64_t base_ns) : start_(static_cast<uint64_t>(base_ns)) {}

  // `times` are in order. The decoder replaces them.
  template <typename Coder>
  void Code(Coder& coder, std::vector<int64_t>& times, uint64_t most) {
    const bool same = coder.Bit(same_[was_same_], times == last_);
    was_same_ = same;
    if (same) {
      if (last_.empty() || last_.size() > most) coder.Fail();
      times = last_;
      return;
    }
    const uint64_t size = count_.CodeNear(coder, count_level_, last_.size(), times.size());
    if (size == 0 || size > most) {
      coder.Fail();
      times.clear();
      return;
    }
    times.resize(size);
    start_ = starts_.CodeNear(coder, start_level_, start_, static_cast<uint64_t>(times[0]));
    times[0] = static_cast<int64_t>(start_);
    if (size > 1) CodeSteps(coder, times);
    last_ = times;
  }

 private:
  // Differences as multiples of what divides them all; on a grid they are all one.
  template <typename Coder>
  void CodeSteps(Coder& coder, std::vector<int64_t>& times) {
    uint64_t unit = 0;
    if constexpr (!Coder::kDecodes) {
      for (size_t i = 1; i < times.size(); ++i) unit = std::gcd(unit, Difference(times, i));
    }
    unit = step_ = steps_.CodeNear(coder, step_level_, step_, unit);
    bool grid = false;
    if constexpr (!Coder::kDecodes) {
      grid = true;
      for (size_t i = 1; i < times.size(); ++i) grid = grid && Difference(times, i) == unit;
    }
    grid = coder.Bit(grid_, grid);
    NumberLevel level;
    uint64_t before = 1;
    for (size_t i = 1; i < times.size() && coder.ok(); ++i) {
      uint64_t multiple = 1;
      if (!grid) {
        if constexpr (!Coder::kDecodes) {
          multiple = unit == 0 ? 0 : Difference(times, i) / unit;
        }
        multiple = before = multiples_.CodeNear(coder, level, before, multiple);
      }
      if constexpr (Coder::kDecodes) Step(coder, times, i, multiple, unit);
    }
  }

  static uint64_t Difference(const std::vector<int64_t>& times, size_t i) {
    return static_cast<uint64_t>(times[i]) - static_cast<uint64_t>(times[i - 1]);
  }

  template <typename Coder>
  static void Step(Coder& coder, std::vector<int64_t>& times, size_t i, uint64_t multiple,
                   uint64_t unit) {
    uint64_t difference = 0;
    const uint64_t room = static_cast<uint64_t>(INT64_MAX) - static_cast<uint64_t>(times[i - 1]);
    if (__builtin_mul_overflow(multiple, unit, &difference) || difference > room) {
      coder.Fail();
      difference = 0;
    }
    times[i] = static_cast<int64_t>(static_cast<uint64_t>(times[i - 1]) + difference);
  }

  std::vector<int64_t> last_;
  uint64_t start_;
  uint64_t step_ = 0;
  bool was_same_ = false;
  BitModel same_[2];
  BitModel grid_;
  NumberLevel count_level_;
  NumberLevel start_level_;
  NumberLevel step_level_;
  LevelModel count_;
  LevelModel starts_;
  LevelModel steps_;
  LevelModel multiples_;
};

}  // namespace kindling::storage
