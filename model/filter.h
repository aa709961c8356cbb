#pragma once

#include <array>
#include <cstddef>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "model/filter_field.h"

namespace kindling::model {

struct FilterNode;

// The texts a record has for one field: several where it has several, such as two ends.
class FieldTexts {
 public:
  static constexpr size_t kCapacity = 4;

  // Empty texts say nothing and are left out. More than kCapacity are dropped.
  void Add(std::string_view text) {
    if (!text.empty() && size_ < kCapacity) texts_[size_++] = text;
  }
  const std::string_view* begin() const { return texts_.data(); }
  const std::string_view* end() const { return texts_.data() + size_; }

 private:
  std::array<std::string_view, kCapacity> texts_;
  size_t size_ = 0;
};

// The number a record has for one field; least < most where it stands for many requests.
struct FieldRange {
  double least = 0;
  double most = 0;
};

// What a filter looks at. Implementations for the model's records are in model/record_fields.h.
class FieldSource {
 public:
  virtual ~FieldSource() = default;

  // The values of a kText, kTextual or kChoice field; `attribute` is the name in attr.NAME.
  // Lifetime: the texts live as long as this.
  virtual void Texts(FilterField field, std::string_view attribute, FieldTexts* out) const = 0;

  // The value of a kNumber, kDuration (ns) or kBytes field; nullopt: the record does not have it.
  virtual std::optional<FieldRange> Range(FilterField field) const = 0;
};

// What every record that a filter matches has, for asking an index. The filter may ask for more.
struct FilterNeeds {
  std::vector<std::string> endpoints;                           // one of these; empty: any
  std::vector<std::string> codes;                               // one of these; empty: any
  std::vector<std::pair<std::string, std::string>> attributes;  // all of these, name and value
  double least_latency_ns = -std::numeric_limits<double>::infinity();
  double most_latency_ns = std::numeric_limits<double>::infinity();
  bool is_error = false;
  bool is_slow = false;
  // Whether it asks, anywhere, for who talks to whom and how: ends, hosts, addresses, protocol,
  // transport or side.
  bool asks_ends = false;
};

// A condition over records, in the filter language of docs/filter_language.md:
//     service="cart" protocol=mysql latency>100ms status!=ok
//
// Threads: immutable; safe from any.
// Limits:  of length, nesting, conditions and regular expressions, see filter_parser.h; matching
//          takes time linear in the filter and in the record's texts.
class Filter {
 public:
  // Matches everything.
  Filter();
  Filter(Filter&&) noexcept;
  Filter& operator=(Filter&&) noexcept;
  ~Filter();

  // With `kind`, a field that such records do not have is an error.
  // Failure: InvalidArgument "column C: what was expected, found ...".
  static absl::StatusOr<Filter> Parse(std::string_view text,
                                      std::optional<RecordKind> kind = std::nullopt);

  // A record that lacks a field matches != and !~ on it and ="", and nothing else.
  bool Matches(const FieldSource& record) const;

  // Whether a record could match of which only those fields are known that `is_known` accepts.
  bool MayMatch(const FieldSource& record, const std::function<bool(FilterField)>& is_known) const;

  FilterNeeds Needs() const;

  // True when it matches everything, being empty.
  bool matches_all() const;

  // The filter in a normal form that parses to an equal filter.
  std::string ToString() const;

 private:
  explicit Filter(std::unique_ptr<const FilterNode> root);

  std::unique_ptr<const FilterNode> root_;  // null: matches everything
};

// What may stand where `text` ends: words that continue its last, unfinished word, for completion.
struct FilterCompletion {
  size_t offset = 0;               // of the word that each of `words` would replace
  std::vector<std::string> words;  // sorted as in the documentation
};
FilterCompletion CompleteFilter(std::string_view text,
                                std::optional<RecordKind> kind = std::nullopt);

}  // namespace kindling::model
