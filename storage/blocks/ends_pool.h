#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "storage/blocks/ends_table.h"
#include "storage/blocks/text_table.h"
#include "storage/span_search.h"

namespace kindling::storage {

// Ends that a summary names, by number: one copy for all summaries, since thousands of them name
// the same few. Equal ends have equal numbers, so that a search asks about each only once. What
// nobody holds is forgotten, and its number used again.
//
// Threads: safe from any.
class HeldEnds {
 public:
  HeldEnds() = default;
  HeldEnds(const EndsTable& table, const TextTable& texts);
  ~HeldEnds();
  HeldEnds(const HeldEnds&) = delete;
  HeldEnds& operator=(const HeldEnds&) = delete;
  HeldEnds& operator=(HeldEnds&& other) noexcept {
    std::swap(numbers_, other.numbers_);
    return *this;
  }

  size_t size() const { return numbers_.size(); }
  uint32_t number(size_t i) const { return numbers_[i]; }
  const SpanEnds& operator[](size_t i) const;

 private:
  std::vector<uint32_t> numbers_;
};

// What a search says of ends, each asked about once.
//
// Lifetime: the search must outlive this, and whatever holds the ends.
// Threads:  one at a time.
class EndsAnswers {
 public:
  explicit EndsAnswers(const SpanSearch& search) : search_(search) {}

  bool asks() const { return search_.ends != nullptr; }
  bool Wants(const HeldEnds& ends, size_t i);

 private:
  enum Answer : uint8_t { kUnknown, kNo, kYes };
  const SpanSearch& search_;
  std::vector<Answer> answers_;  // by number
};

}  // namespace kindling::storage
