#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"

namespace kindling::storage {

// The texts of a block: each once, in order, as the length it shares with the one before, the
// length of the rest, and the rest.
std::string EncodeTexts(const std::vector<std::string_view>& texts);

// Finds these texts and their order.
class TextTableBuilder {
 public:
  // Gives the number of the text among those that were added, as they came. The text is referred to
  // until the builder is gone.
  uint32_t Add(std::string_view text);
  // Puts the texts in order, which gives them their numbers in the table.
  void Sort();

  // After Sort(): the number in the table of what Add() gave.
  uint32_t Number(uint32_t added) const { return numbers_[added]; }
  // After Sort(): the number in the table of a text that was added.
  uint32_t NumberOf(std::string_view text) const {
    return numbers_[added_.find(absl::string_view(text.data(), text.size()))->second];
  }
  std::string_view operator[](uint32_t number) const { return texts_[number]; }
  size_t size() const { return texts_.size(); }
  std::string Encode() const { return EncodeTexts(texts_); }

 private:
  absl::flat_hash_map<absl::string_view, uint32_t> added_;
  std::vector<std::string_view> texts_;
  std::vector<uint32_t> numbers_;
};

// Limits: `max_bytes` for all texts together, each with all that it shares.
class TextTable {
 public:
  // DATA_LOSS: damaged, not in order, or too large.
  static absl::StatusOr<TextTable> Parse(std::string_view bytes, size_t max_bytes);

  size_t size() const { return ends_.size() - 1; }
  // REQUIRES: number < size().
  std::string_view operator[](size_t number) const {
    return std::string_view(bytes_).substr(ends_[number], ends_[number + 1] - ends_[number]);
  }
  // size(): there is none.
  size_t Find(std::string_view text) const;

 private:
  std::string bytes_;
  std::vector<uint32_t> ends_ = {0};
};

}  // namespace kindling::storage
