#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "storage/blocks/number_model.h"

namespace kindling::storage {

// How the values of one series in one column are turned into whole numbers, chosen for the series.
struct ValuePlan {
  enum Mode : uint8_t {
    kDecimal = 0,  // value * 10^scale is a whole number
    kBits = 1,     // the bits of the value without the lowest `scale`, which are 0, in its order
  };
  // What a number is expected to be, by those before it.
  enum Predictor : uint8_t { kLast = 0, kMean = 1, kLine = 2 };

  Mode mode = kDecimal;
  uint8_t scale = 0;
  Predictor predictor = kLast;
  bool constant = false;    // all have the same bits: only the first is written
  bool exceptions = false;  // some are no such number and are written as they are
};

inline constexpr int kMaxDecimalScale = 18;

// Chooses, for at least one value, and gives their numbers; those of exceptions mean nothing.
ValuePlan PlanValues(const std::vector<double>& values, std::vector<uint64_t>& numbers,
                     std::vector<bool>& is_exception);
double ValueOf(const ValuePlan& plan, uint64_t number);

// The values of one column, one series after another. Bits of values come back exactly.
class ValueColumn {
 public:
  // `values` has its final size, not 0; the decoder sets the values.
  template <typename Coder>
  void Code(Coder& coder, std::vector<double>& values) {
    ValuePlan plan;
    if constexpr (!Coder::kDecodes) plan = PlanValues(values, numbers_, is_exception_);
    CodePlan(coder, plan);
    if (!coder.ok()) return;
    const size_t count = plan.constant ? 1 : values.size();
    NumberLevel level;
    MeanPredictor mean;
    uint64_t first = 0;
    uint64_t last = 0;
    uint64_t step = 0;
    bool started = false;
    for (size_t i = 0; i < count && coder.ok(); ++i) {
      if (plan.exceptions && CodeException(coder, values[i], i)) continue;
      uint64_t number = 0;
      if constexpr (!Coder::kDecodes) number = numbers_[i];
      if (!started) {
        first = last = number = CodeFirst(coder, plan.mode, number, level);
        started = true;
      } else {
        uint64_t expected = last;
        if (plan.predictor == ValuePlan::kMean) expected = first + mean.Expect();
        if (plan.predictor == ValuePlan::kLine) expected = last + step;
        number = rest_[plan.mode].CodeNear(coder, level, expected, number);
        step = number - last;
        last = number;
      }
      if (plan.predictor == ValuePlan::kMean) mean.Add(number - first);
      if constexpr (Coder::kDecodes) values[i] = ValueOf(plan, number);
    }
    if constexpr (Coder::kDecodes) {
      if (plan.constant) std::fill(values.begin() + 1, values.end(), values[0]);
    }
  }

 private:
  template <typename Coder>
  void CodePlan(Coder& coder, ValuePlan& plan) {
    plan.mode = static_cast<ValuePlan::Mode>(coder.Bit(mode_[mode_before_], plan.mode));
    mode_before_ = plan.mode;
    const uint64_t scale = scale_.Code(coder, plan.mode, plan.scale);
    plan.scale = static_cast<uint8_t>(scale);
    plan.constant = coder.Bit(constant_, plan.constant);
    plan.exceptions = coder.Bit(exceptions_, plan.exceptions);
    if (!plan.constant) {
      const bool smooth = coder.Bit(predictor_[0], plan.predictor != ValuePlan::kMean);
      const bool line = smooth && coder.Bit(predictor_[1], plan.predictor == ValuePlan::kLine);
      plan.predictor = !smooth ? ValuePlan::kMean : line ? ValuePlan::kLine : ValuePlan::kLast;
    }
    if (scale > (plan.mode == ValuePlan::kDecimal ? kMaxDecimalScale : 63)) coder.Fail();
  }

  template <typename Coder>
  bool CodeException(Coder& coder, double& value, size_t i) {
    bool is = false;
    if constexpr (!Coder::kDecodes) is = is_exception_[i];
    if (!coder.Bit(exception_, is)) return false;
    const auto bits = std::bit_cast<uint64_t>(value);
    if (coder.Bit(exception_again_, bits != last_exception_)) {
      last_exception_ = coder.Direct(bits, 64);
    }
    if constexpr (Coder::kDecodes) value = std::bit_cast<double>(last_exception_);
    return true;
  }

  // Often the same in many series: a limit, zero.
  template <typename Coder>
  uint64_t CodeFirst(Coder& coder, int mode, uint64_t number, NumberLevel& level) {
    if (!coder.Bit(first_again_[mode], number != last_first_[mode])) {
      level.level = 8 * BitLength(ZigZag(static_cast<int64_t>(last_first_[mode])));
      return last_first_[mode];
    }
    return last_first_[mode] = rest_[mode].CodeNear(coder, level, 0, number);
  }

  std::vector<uint64_t> numbers_;
  std::vector<bool> is_exception_;
  int mode_before_ = 0;
  BitModel mode_[2];
  NumberModel<2> scale_;
  BitModel constant_;
  BitModel exceptions_;
  BitModel exception_;
  BitModel exception_again_;
  BitModel predictor_[2];
  BitModel first_again_[2];
  uint64_t last_exception_ = 0;
  std::array<uint64_t, 2> last_first_{};
  std::array<LevelModel, 2> rest_;
};

}  // namespace kindling::storage
