#include "controller/query/label_matchers.h"

#include <re2/re2.h>

#include <algorithm>

#include "absl/strings/str_format.h"
#include "kindling/v1/query.pb.h"

namespace kindling::controller {
namespace {

constexpr int kMaxMatchers = 32;
constexpr size_t kMaxTextBytes = 1024;
constexpr int64_t kMaxPatternBytes = 1 << 20;  // of its program

absl::Status Fault(int index, const std::string& what) {
  return absl::InvalidArgumentError(absl::StrFormat("matchers[%d]: %s", index, what));
}

}  // namespace

struct LabelMatchers::Condition {
  std::string name;
  std::string value;
  bool is_negated = false;
  std::unique_ptr<re2::RE2> pattern;  // null: the value itself

  bool Holds(const std::string& text) const {
    const bool matches =
        pattern == nullptr
            ? text == value
            : re2::RE2::FullMatch(re2::StringPiece(text.data(), text.size()), *pattern);
    return matches != is_negated;
  }
};

LabelMatchers::LabelMatchers() = default;
LabelMatchers::LabelMatchers(LabelMatchers&&) noexcept = default;
LabelMatchers& LabelMatchers::operator=(LabelMatchers&&) noexcept = default;
LabelMatchers::~LabelMatchers() = default;

absl::StatusOr<LabelMatchers> LabelMatchers::Parse(
    const google::protobuf::RepeatedPtrField<v1::LabelMatcher>& matchers) {
  if (matchers.size() > kMaxMatchers) {
    return absl::InvalidArgumentError(
        absl::StrFormat("matchers: at most %d are allowed", kMaxMatchers));
  }
  LabelMatchers out;
  for (int i = 0; i < matchers.size(); ++i) {
    const v1::LabelMatcher& matcher = matchers[i];
    if (matcher.name().empty()) return Fault(i, "name is empty");
    if (matcher.name().size() > kMaxTextBytes || matcher.value().size() > kMaxTextBytes) {
      return Fault(i, absl::StrFormat("longer than %d bytes", kMaxTextBytes));
    }
    Condition condition{.name = matcher.name(), .value = matcher.value()};
    const auto op = matcher.operator_();
    condition.is_negated =
        op == v1::LabelMatcher::OPERATOR_NOT_EQUAL || op == v1::LabelMatcher::OPERATOR_NOT_MATCHES;
    switch (op) {
      case v1::LabelMatcher::OPERATOR_EQUAL:
        if (condition.value.empty()) break;
        if (condition.name == kNameLabel) {
          out.name_ = condition.value;
        } else {
          out.labels_.emplace_back(condition.name, condition.value);
        }
        break;
      case v1::LabelMatcher::OPERATOR_NOT_EQUAL:
        break;
      case v1::LabelMatcher::OPERATOR_MATCHES:
      case v1::LabelMatcher::OPERATOR_NOT_MATCHES: {
        re2::RE2::Options options(re2::RE2::Quiet);
        options.set_max_mem(kMaxPatternBytes);
        condition.pattern = std::make_unique<re2::RE2>(condition.value, options);
        if (!condition.pattern->ok()) return Fault(i, condition.pattern->error());
        break;
      }
      default:
        return Fault(i, "operator is not known");
    }
    // One that an absent label does not meet.
    out.selects_ |= !condition.Holds("");
    out.conditions_.push_back(std::move(condition));
  }
  return out;
}

bool LabelMatchers::Matches(const model::MetricSeries& series) const {
  return std::all_of(conditions_.begin(), conditions_.end(), [&](const Condition& condition) {
    return condition.Holds(LabelOf(series, condition.name));
  });
}

const std::string& LabelOf(const model::MetricSeries& series, const std::string& name) {
  static const std::string& none = *new std::string();
  if (name == kNameLabel) return series.name;
  const auto found = std::find_if(series.labels.begin(), series.labels.end(),
                                  [&](const auto& label) { return label.first == name; });
  return found == series.labels.end() ? none : found->second;
}

}  // namespace kindling::controller
