#include "storage/blocks/value_column.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <optional>

namespace kindling::storage {
namespace {

constexpr std::array<double, kMaxDecimalScale + 1> kPowers = {
    1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8, 1e9,
    1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18};

// Beyond this a double has no fractions, and its number no room.
constexpr double kMostNumber = 4.6e18;

// Values that are tried before a series of no decimals is given up.
constexpr size_t kTrials = 16;

uint64_t Bits(double value) { return std::bit_cast<uint64_t>(value); }

std::optional<int64_t> DecimalOf(double value, int scale) {
  const double scaled = value * kPowers[scale];
  if (!(std::fabs(scaled) < kMostNumber)) return std::nullopt;
  const auto number = static_cast<int64_t>(std::nearbyint(scaled));
  if (Bits(static_cast<double>(number) / kPowers[scale]) != Bits(value)) return std::nullopt;
  return number;
}

// The least scale, from `scale` on, in which the value is a whole number; -1: none.
int ScaleOf(double value, int scale) {
  for (; scale <= kMaxDecimalScale; ++scale) {
    if (DecimalOf(value, scale).has_value()) return scale;
  }
  return -1;
}

// False: too many values are no decimals of a common scale.
bool PlanDecimal(const std::vector<double>& values, ValuePlan& plan, std::vector<uint64_t>& numbers,
                 std::vector<bool>& is_exception) {
  int scale = 0;
  size_t failures = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    const int needed = ScaleOf(values[i], scale);
    if (needed >= 0) {
      scale = needed;
    } else if (++failures * 8 > values.size() + 8 || (failures > kTrials && i < 2 * kTrials)) {
      return false;
    }
  }
  plan.mode = ValuePlan::kDecimal;
  plan.scale = static_cast<uint8_t>(scale);
  size_t exceptions = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    const std::optional<int64_t> number = DecimalOf(values[i], scale);
    is_exception[i] = !number.has_value();
    exceptions += is_exception[i];
    numbers[i] = static_cast<uint64_t>(number.value_or(0));
  }
  plan.exceptions = exceptions > 0;
  return exceptions * 8 <= values.size();
}

// The bits in an order that is the order of the values.
uint64_t Ordered(uint64_t bits, int scale) {
  const uint64_t top = uint64_t{1} << (63 - scale);
  const uint64_t kept = bits >> scale;
  return (kept & top) != 0 ? ~kept & (top | (top - 1)) : kept | top;
}

void PlanBits(const std::vector<double>& values, ValuePlan& plan, std::vector<uint64_t>& numbers) {
  uint64_t all = uint64_t{1} << 63;
  for (const double value : values) all |= Bits(value);
  plan.mode = ValuePlan::kBits;
  plan.exceptions = false;
  plan.scale = static_cast<uint8_t>(std::countr_zero(all));
  for (size_t i = 0; i < values.size(); ++i) numbers[i] = Ordered(Bits(values[i]), plan.scale);
}

// The predictor that leaves the shortest numbers.
ValuePlan::Predictor BestPredictor(const std::vector<uint64_t>& numbers,
                                   const std::vector<bool>& is_exception) {
  std::array<uint64_t, 3> cost{};
  MeanPredictor mean;
  std::optional<uint64_t> first;
  uint64_t last = 0;
  uint64_t step = 0;
  const auto length = [](uint64_t expected, uint64_t number) {
    return BitLength(ZigZag(static_cast<int64_t>(number - expected)));
  };
  for (size_t i = 0; i < numbers.size(); ++i) {
    if (is_exception[i]) continue;
    const uint64_t number = numbers[i];
    if (first.has_value()) {
      cost[ValuePlan::kLast] += length(last, number);
      cost[ValuePlan::kMean] += length(*first + mean.Expect(), number);
      cost[ValuePlan::kLine] += length(last + step, number);
      step = number - last;
    } else {
      first = number;
    }
    last = number;
    mean.Add(number - *first);
  }
  return static_cast<ValuePlan::Predictor>(std::min_element(cost.begin(), cost.end()) -
                                           cost.begin());
}

}  // namespace

ValuePlan PlanValues(const std::vector<double>& values, std::vector<uint64_t>& numbers,
                     std::vector<bool>& is_exception) {
  ValuePlan plan;
  numbers.assign(values.size(), 0);
  is_exception.assign(values.size(), false);
  const uint64_t first = Bits(values[0]);
  plan.constant = std::all_of(values.begin(), values.end(),
                              [first](double value) { return Bits(value) == first; });
  if (plan.constant) {
    const std::vector<double> one = {values[0]};
    if (!PlanDecimal(one, plan, numbers, is_exception)) {
      is_exception.assign(values.size(), false);
      PlanBits(one, plan, numbers);
    }
    return plan;
  }
  if (!PlanDecimal(values, plan, numbers, is_exception)) {
    is_exception.assign(values.size(), false);
    PlanBits(values, plan, numbers);
  }
  plan.predictor = BestPredictor(numbers, is_exception);
  return plan;
}

double ValueOf(const ValuePlan& plan, uint64_t number) {
  if (plan.mode == ValuePlan::kDecimal) {
    return static_cast<double>(static_cast<int64_t>(number)) / kPowers[plan.scale];
  }
  const uint64_t top = uint64_t{1} << (63 - plan.scale);
  const uint64_t kept = (number & top) != 0 ? number & (top - 1) : (~number & (top - 1)) | top;
  return std::bit_cast<double>(kept << plan.scale);
}

}  // namespace kindling::storage
