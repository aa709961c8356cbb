#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "model/records.h"
#include "storage/blocks/text_table.h"

namespace kindling::storage {

// What names the series of a metric block. Sets of labels, which many metrics share, are kept once,
// by label: its values in order, and which sets have each. A label can be read without the others.

struct LabelIndexBytes {
  std::string texts;
  std::string labels;
  std::string series;
};

struct EncodedLabelIndex {
  LabelIndexBytes bytes;
  // For each that was given, the number of its series in the index; the same series have the same.
  std::vector<uint32_t> numbers;
  uint32_t series = 0;
  // Every name and every pair of a label and a value, in no order.
  std::vector<std::string_view> names;
  std::vector<std::pair<std::string_view, std::string_view>> pairs;
};
// Of the labels of a series, in order, each name is there once.
EncodedLabelIndex EncodeLabelIndex(const std::vector<const model::MetricSeries*>& series);

// Limits: kMaxLabelEntries labels in all sets together.
inline constexpr uint64_t kMaxLabelEntries = uint64_t{1} << 23;

class LabelIndex {
 public:
  // DATA_LOSS: damaged; more than `max_series` series, or texts of more than `max_text_bytes`.
  // `only`: no other label is read; sets then have no more than this one.
  static absl::StatusOr<LabelIndex> Parse(const LabelIndexBytes& bytes, uint64_t max_series,
                                          size_t max_text_bytes,
                                          std::optional<std::string_view> only = std::nullopt);

  size_t size() const { return series_.size(); }
  model::MetricSeries Series(size_t number) const;
  // Bytes of texts that Series() copies.
  size_t TextBytes(size_t number) const;

  // Values of a label in order, with the number of series that have it.
  std::vector<std::pair<std::string, uint64_t>> Values(std::string_view label) const;

 private:
  struct Entry {
    uint32_t label = 0;  // numbers of texts
    uint32_t value = 0;
  };
  struct Name {
    uint32_t name = 0;
    uint32_t set = 0;
    uint8_t kind = 0;
  };

  absl::Status ParseLabels(std::string_view bytes, uint64_t max_series,
                           std::optional<std::string_view> only);
  absl::Status ParseSeries(std::string_view bytes, uint64_t max_series);
  std::span<const Entry> SetOf(size_t number) const;

  TextTable texts_;
  std::vector<Name> series_;
  uint64_t sets_ = 0;
  std::vector<uint32_t> set_ends_;  // of entries_, by set
  std::vector<Entry> entries_;
};

}  // namespace kindling::storage
