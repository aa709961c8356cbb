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
class TextTableBuilder {
 public:
  // The text is referred to until the builder is gone.
  void Add(std::string_view text) { numbers_.try_emplace(AbslView(text), 0); }
  // Gives out the numbers, in the order of the texts.
  void Sort();

  // REQUIRES: added before Sort().
  uint32_t Number(std::string_view text) const { return numbers_.find(AbslView(text))->second; }
  // REQUIRES: after Sort().
  std::string_view operator[](uint32_t number) const { return texts_[number]; }
  size_t size() const { return texts_.size(); }
  std::string Encode() const;

 private:
  static absl::string_view AbslView(std::string_view text) { return {text.data(), text.size()}; }

  absl::flat_hash_map<absl::string_view, uint32_t> numbers_;
  std::vector<std::string_view> texts_;
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
