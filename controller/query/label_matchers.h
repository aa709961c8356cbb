#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "model/records.h"

namespace google::protobuf {
template <typename T>
class RepeatedPtrField;
}
namespace kindling::v1 {
class LabelMatcher;
}
namespace re2 {
class RE2;
}

namespace kindling::controller {

// The label that stands for the name of a metric.
inline constexpr char kNameLabel[] = "__name__";

// Which metric series are meant: all matchers hold.
//
// Threads: immutable; safe from any.
// Limits:  32 matchers of 1 KiB each; a regular expression takes time linear in the value.
class LabelMatchers {
 public:
  // INVALID_ARGUMENT naming the matcher at fault.
  static absl::StatusOr<LabelMatchers> Parse(
      const google::protobuf::RepeatedPtrField<v1::LabelMatcher>& matchers);
  LabelMatchers(LabelMatchers&&) noexcept;
  LabelMatchers& operator=(LabelMatchers&&) noexcept;
  ~LabelMatchers();

  bool Matches(const model::MetricSeries& series) const;

  // What must be equal, for an index to be asked; the name is empty where any will do.
  const std::string& name() const { return name_; }
  const std::vector<std::pair<std::string, std::string>>& labels() const { return labels_; }
  // False when every series there could be may match.
  bool selects() const { return selects_; }

 private:
  struct Condition;
  LabelMatchers();

  std::vector<Condition> conditions_;
  std::string name_;
  std::vector<std::pair<std::string, std::string>> labels_;
  bool selects_ = false;
};

// The value of a label; "" where the series does not have it.
const std::string& LabelOf(const model::MetricSeries& series, const std::string& name);

}  // namespace kindling::controller
