#pragma once

#include <re2/re2.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "model/filter_field.h"

// The parsed form of a filter: private to Filter and its parser.
namespace kindling::model {

enum class FilterOp : uint8_t {
  kEqual,  // to any of the values
  kNotEqual,
  kMatch,
  kNotMatch,
  kGreater,
  kGreaterEqual,
  kLess,
  kLessEqual,
};

struct FilterTerm {
  FilterField field = FilterField::kService;
  std::string attribute;  // of kAttribute: its name
  FilterOp op = FilterOp::kEqual;
  std::vector<std::string> texts;  // the values as written, without quotes; at least one
  std::vector<double> numbers;     // the same as ns, bytes or numbers, where the term compares so
  std::unique_ptr<re2::RE2> pattern;  // of kMatch and kNotMatch
};

struct FilterNode {
  enum class Kind { kAnd, kOr, kNot, kTerm };

  Kind kind = Kind::kAnd;
  std::vector<FilterNode> children;  // an empty kAnd is true
  FilterTerm term;
};

}  // namespace kindling::model
