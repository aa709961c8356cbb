#include "storage/blocks/label_index.h"

#include <algorithm>
#include <map>
#include <numeric>

#include "absl/container/flat_hash_map.h"
#include "base/byte_reader.h"
#include "base/status_macros.h"
#include "storage/blocks/id_column.h"
#include "storage/blocks/range_coder.h"
#include "storage/varint.h"

namespace kindling::storage {
namespace {

using Labels = std::vector<std::pair<uint32_t, uint32_t>>;  // numbers of name and value

absl::Status Damaged() { return absl::DataLossError("the label index is damaged"); }

// A label that fewer than one set in eight has is written as a list of sets, else as a column.
bool IsSparse(uint64_t entries, uint64_t sets) { return entries * 8 < sets; }

struct LabelColumn {
  std::vector<uint32_t> values;  // numbers of texts, ascending
  std::vector<uint32_t> sets;    // that have the label, ascending
  std::vector<uint32_t> of_set;  // number in `values`, for each of them
};

// The sizes of `values` and `sets` are known.
template <typename Coder>
void CodeLabel(Coder& coder, uint64_t texts, uint64_t all_sets, LabelColumn& label) {
  const auto ascending = [&coder](std::vector<uint32_t>& numbers, uint64_t end) {
    NumberModel<1> steps;
    uint64_t next = 0;
    for (size_t i = 0; i < numbers.size() && coder.ok(); ++i) {
      next += steps.Code(coder, 0, numbers[i] - next);
      if (next >= end) return coder.Fail();
      numbers[i] = static_cast<uint32_t>(next++);
    }
  };
  ascending(label.values, texts);
  label.of_set.resize(label.sets.size());
  const auto values = static_cast<uint32_t>(label.values.size());
  if (IsSparse(label.sets.size(), all_sets)) {
    ascending(label.sets, all_sets);
    IdColumn column(values);
    for (size_t i = 0; i < label.sets.size() && coder.ok(); ++i) {
      label.of_set[i] = column.Code(coder, label.of_set[i]);
    }
    return;
  }
  // 0: the set does not have it.
  IdColumn column(values + 1);
  size_t entry = 0;
  for (uint32_t set = 0; set < all_sets && coder.ok(); ++set) {
    uint32_t value = 0;
    if constexpr (!Coder::kDecodes) {
      const bool has = entry < label.sets.size() && label.sets[entry] == set;
      value = has ? label.of_set[entry] + 1 : 0;
    }
    value = column.Code(coder, value);
    if (value == 0) continue;
    if (entry == label.sets.size()) return coder.Fail();
    label.sets[entry] = set;
    label.of_set[entry++] = value - 1;
  }
  if (entry != label.sets.size()) coder.Fail();
}

// All series: name, kind and set.
class SeriesColumns {
 public:
  SeriesColumns(size_t texts, size_t sets)
      : names_(static_cast<uint32_t>(texts)), kinds_(256), sets_(static_cast<uint32_t>(sets)) {}

  template <typename Coder>
  void Code(Coder& coder, uint32_t& name, uint8_t& kind, uint32_t& set) {
    name = names_.Code(coder, name);
    kind = static_cast<uint8_t>(kinds_.Code(coder, kind));
    set = sets_.Code(coder, set);
  }

 private:
  IdColumn names_;
  IdColumn kinds_;
  IdColumn sets_;
};

}  // namespace

namespace {

// A set of labels, by what it refers to.
struct SetKey {
  const std::vector<std::pair<std::string, std::string>>* labels;
  bool operator==(const SetKey& other) const { return *labels == *other.labels; }
  template <typename H>
  friend H AbslHashValue(H h, const SetKey& key) {
    return H::combine(std::move(h), *key.labels);
  }
};

struct SeriesName {
  uint32_t name = 0;
  uint8_t kind = 0;
  uint32_t set = 0;
  auto operator<=>(const SeriesName&) const = default;
};

// The columns of all labels, by number of name.
std::map<uint32_t, LabelColumn> ColumnsOf(const std::vector<Labels>& sets) {
  std::map<uint32_t, LabelColumn> columns;
  for (size_t set = 0; set < sets.size(); ++set) {
    for (const auto& [name, value] : sets[set]) {
      LabelColumn& column = columns[name];
      column.values.push_back(value);
      column.sets.push_back(static_cast<uint32_t>(set));
      column.of_set.push_back(value);
    }
  }
  for (auto& [name, column] : columns) {
    std::vector<uint32_t>& values = column.values;
    std::sort(values.begin(), values.end());
    values.erase(std::unique(values.begin(), values.end()), values.end());
    for (uint32_t& value : column.of_set) {
      value = static_cast<uint32_t>(std::lower_bound(values.begin(), values.end(), value) -
                                    values.begin());
    }
  }
  return columns;
}

std::string EncodeLabels(std::map<uint32_t, LabelColumn>& columns, uint64_t texts, uint64_t sets) {
  std::string out;
  PutVarint(out, sets);
  PutVarint(out, columns.size());
  std::string streams;
  for (auto& [name, column] : columns) {
    RangeEncoder encoder;
    CodeLabel(encoder, texts, sets, column);
    const std::string stream = encoder.Finish();
    for (const uint64_t number :
         {uint64_t{name}, column.values.size(), column.sets.size(), stream.size()}) {
      PutVarint(out, number);
    }
    streams += stream;
  }
  return out + streams;
}

// The series section, the numbers of series and their names.
void EncodeSeries(std::vector<SeriesName>& names, const TextTableBuilder& texts, size_t sets,
                  EncodedLabelIndex& out) {
  std::vector<uint32_t> order(names.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(),
            [&names](uint32_t a, uint32_t b) { return names[a] < names[b]; });
  out.numbers.resize(names.size());
  std::string stream;
  if (!names.empty()) {
    RangeEncoder encoder;
    SeriesColumns columns(texts.size(), sets);
    for (size_t i = 0; i < order.size(); ++i) {
      SeriesName& name = names[order[i]];
      const SeriesName* before = i == 0 ? nullptr : &names[order[i - 1]];
      if (before == nullptr || *before != name) {
        ++out.series;
        columns.Code(encoder, name.name, name.kind, name.set);
      }
      if (before == nullptr || before->name != name.name) out.names.push_back(texts[name.name]);
      out.numbers[order[i]] = out.series - 1;
    }
    stream = encoder.Finish();
  }
  PutVarint(out.bytes.series, out.series);
  out.bytes.series += stream;
}

}  // namespace

EncodedLabelIndex EncodeLabelIndex(const std::vector<const model::MetricSeries*>& series) {
  // Names, sets and texts are first numbered as they come, so that each is looked up once.
  TextTableBuilder texts;
  absl::flat_hash_map<SetKey, uint32_t> set_numbers;
  std::vector<std::pair<Labels, uint32_t>> numbered;  // sets, and what they are numbered
  std::vector<SeriesName> names(series.size());
  for (size_t i = 0; i < series.size(); ++i) {
    const auto [it, added] =
        set_numbers.try_emplace({&series[i]->labels}, static_cast<uint32_t>(numbered.size()));
    if (added) {
      Labels& labels = numbered.emplace_back(Labels(), it->second).first;
      labels.reserve(series[i]->labels.size());
      for (const auto& [name, value] : series[i]->labels) {
        const uint32_t number = texts.Add(name);
        labels.emplace_back(number, texts.Add(value));
      }
    }
    names[i] = {.name = texts.Add(series[i]->name),
                .kind = static_cast<uint8_t>(series[i]->kind),
                .set = it->second};
  }
  texts.Sort();

  // Then in the order of their texts, which the numbers have.
  for (auto& [labels, number] : numbered) {
    for (auto& [name, value] : labels) {
      name = texts.Number(name);
      value = texts.Number(value);
    }
  }
  std::sort(numbered.begin(), numbered.end());
  std::vector<Labels> sets(numbered.size());
  std::vector<uint32_t> places(numbered.size());
  for (size_t i = 0; i < numbered.size(); ++i) {
    sets[i] = std::move(numbered[i].first);
    places[numbered[i].second] = static_cast<uint32_t>(i);
  }

  EncodedLabelIndex out;
  std::map<uint32_t, LabelColumn> columns = ColumnsOf(sets);
  for (const auto& [name, column] : columns) {
    for (const uint32_t value : column.values) out.pairs.emplace_back(texts[name], texts[value]);
  }
  out.bytes.texts = texts.Encode();
  out.bytes.labels = EncodeLabels(columns, texts.size(), sets.size());

  for (SeriesName& name : names) {
    name.name = texts.Number(name.name);
    name.set = places[name.set];
  }
  EncodeSeries(names, texts, sets.size(), out);
  return out;
}

absl::StatusOr<LabelIndex> LabelIndex::Parse(const LabelIndexBytes& bytes, uint64_t max_series,
                                             size_t max_text_bytes,
                                             std::optional<std::string_view> only) {
  LabelIndex index;
  ASSIGN_OR_RETURN(index.texts_, TextTable::Parse(bytes.texts, max_text_bytes));
  RETURN_IF_ERROR(index.ParseLabels(bytes.labels, max_series, only));
  RETURN_IF_ERROR(index.ParseSeries(bytes.series, max_series));
  return index;
}

absl::Status LabelIndex::ParseLabels(std::string_view bytes, uint64_t max_series,
                                     std::optional<std::string_view> only) {
  base::ByteReader reader(base::AsBytes(bytes));
  sets_ = ReadVarint(reader);
  const uint64_t count = ReadVarint(reader);
  if (!reader.ok() || sets_ > max_series || count > reader.remaining() / 4) return Damaged();
  struct Header {
    uint32_t name = 0;
    uint64_t values = 0;
    uint64_t sets = 0;
    uint64_t bytes = 0;
  };
  std::vector<Header> headers(count);
  uint64_t entries = 0;
  for (uint64_t i = 0; i < count; ++i) {
    const uint64_t name = ReadVarint(reader);
    Header& header = headers[i];
    header.values = ReadVarint(reader);
    header.sets = ReadVarint(reader);
    header.bytes = ReadVarint(reader);
    if (!reader.ok() || name >= texts_.size() || header.values == 0 ||
        header.values > header.sets || header.sets > sets_ ||
        header.sets > kMaxLabelEntries - entries || (i > 0 && name <= headers[i - 1].name)) {
      return Damaged();
    }
    header.name = static_cast<uint32_t>(name);
    entries += header.sets;
  }

  std::vector<std::pair<uint32_t, Entry>> by_label;  // set, entry
  for (const Header& header : headers) {
    const std::string_view stream = reader.Text(header.bytes);
    if (!reader.ok()) return Damaged();
    if (only.has_value() && texts_[header.name] != *only) continue;
    LabelColumn label;
    label.values.resize(header.values);
    label.sets.resize(header.sets);
    RangeDecoder decoder(stream);
    CodeLabel(decoder, texts_.size(), sets_, label);
    if (!decoder.Finished()) return Damaged();
    for (size_t i = 0; i < label.sets.size(); ++i) {
      by_label.push_back(
          {label.sets[i], {.label = header.name, .value = label.values[label.of_set[i]]}});
    }
  }
  if (reader.remaining() != 0) return Damaged();

  // By set, the labels of each still in order.
  std::vector<uint32_t> next(sets_ + 1);
  for (const auto& [set, entry] : by_label) ++next[set + 1];
  for (uint64_t set = 0; set < sets_; ++set) next[set + 1] += next[set];
  set_ends_.assign(next.begin() + 1, next.end());
  entries_.resize(by_label.size());
  for (const auto& [set, entry] : by_label) entries_[next[set]++] = entry;
  return absl::OkStatus();
}

absl::Status LabelIndex::ParseSeries(std::string_view bytes, uint64_t max_series) {
  base::ByteReader reader(base::AsBytes(bytes));
  const uint64_t count = ReadVarint(reader);
  if (!reader.ok() || count > max_series || (count > 0 && (sets_ == 0 || texts_.size() == 0))) {
    return Damaged();
  }
  if (count == 0) return absl::OkStatus();
  RangeDecoder decoder(bytes.substr(reader.position()));
  SeriesColumns columns(texts_.size(), sets_);
  series_.resize(count);
  for (Name& name : series_) {
    columns.Code(decoder, name.name, name.kind, name.set);
    if (!decoder.ok()) return Damaged();
  }
  return decoder.Finished() ? absl::OkStatus() : Damaged();
}

std::span<const LabelIndex::Entry> LabelIndex::SetOf(size_t number) const {
  const uint32_t set = series_[number].set;
  const size_t start = set == 0 ? 0 : set_ends_[set - 1];
  return std::span(entries_).subspan(start, set_ends_[set] - start);
}

model::MetricSeries LabelIndex::Series(size_t number) const {
  model::MetricSeries series;
  series.name = texts_[series_[number].name];
  series.kind = static_cast<model::MetricKind>(series_[number].kind);
  for (const Entry& entry : SetOf(number)) {
    series.labels.emplace_back(texts_[entry.label], texts_[entry.value]);
  }
  return series;
}

size_t LabelIndex::TextBytes(size_t number) const {
  size_t bytes = texts_[series_[number].name].size();
  for (const Entry& entry : SetOf(number)) {
    bytes += texts_[entry.label].size() + texts_[entry.value].size();
  }
  return bytes;
}

std::vector<std::pair<std::string, uint64_t>> LabelIndex::Values(std::string_view label) const {
  const size_t name = texts_.Find(label);
  std::map<uint32_t, uint64_t> counts;
  for (size_t i = 0; i < series_.size(); ++i) {
    for (const Entry& entry : SetOf(i)) {
      if (entry.label == name) ++counts[entry.value];
    }
  }
  std::vector<std::pair<std::string, uint64_t>> values;
  for (const auto& [value, count] : counts) values.emplace_back(texts_[value], count);
  return values;
}

}  // namespace kindling::storage
