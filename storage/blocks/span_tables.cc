#include "storage/blocks/span_tables.h"

#include <utility>

#include "base/byte_reader.h"
#include "storage/varint.h"

namespace kindling::storage {
namespace {

bool BelowTexts(const std::vector<uint64_t>& from, const TextTable& texts,
                std::vector<uint32_t>& to) {
  to.clear();
  for (const uint64_t value : from) {
    if (value >= texts.size()) return false;
    to.push_back(static_cast<uint32_t>(value));
  }
  return true;
}

}  // namespace

bool SpanTables::Open() {
  return (ReadMeta() && ReadUnits() && ReadTexts() &&
          ends_.Read(frame_, kEndsColumns, meta_.parties, meta_.ends, texts_) && ReadResults()) ||
         Fail();
}

bool SpanTables::ReadMeta() {
  std::string room;
  const auto section = frame_.Read(SectionOf(kMetaColumn), room, 256);
  if (!section.ok()) return false;
  base::ByteReader reader(base::AsBytes(*section));
  for (uint64_t* field : {&meta_.rows, &meta_.units, &meta_.parties, &meta_.ends, &meta_.endpoints,
                          &meta_.results, &meta_.shapes, &meta_.slots, &meta_.attribute_columns,
                          &meta_.rest_cause, &meta_.alias_pairs, &meta_.alias_traces}) {
    *field = ReadVarint(reader);
  }
  const uint64_t rows = meta_.rows;
  return reader.ok() && rows > 0 && rows <= kMaxSpanRows && meta_.units <= kMaxSpanUnits &&
         meta_.parties <= 2 * rows && meta_.ends <= rows && meta_.endpoints <= rows &&
         meta_.results <= rows && meta_.shapes <= rows && meta_.rest_cause <= model::kCauseCount;
}

bool SpanTables::ReadUnits() {
  std::vector<uint64_t> values;
  units_.resize(meta_.units);
  const auto read = [&](uint32_t column, auto take) {
    if (!DecodeNumberColumn(frame_, column, units_.size(), values)) return false;
    for (size_t i = 0; i < units_.size(); ++i) take(units_[i], values[i]);
    return true;
  };
  uint64_t start = 0;
  uint64_t id = 0;
  if (!read(kUnitRows, [](Unit& unit, uint64_t v) { unit.rows = v; }) ||
      !read(kUnitConnections, [](Unit& unit, uint64_t v) { unit.connections = v; }) ||
      !read(kUnitStart,
            [&](Unit& unit, uint64_t v) {
              start += static_cast<uint64_t>(UnZigZag(v));
              unit.first_ns = static_cast<int64_t>(start);
            }) ||
      !read(kUnitTime,
            [](Unit& unit, uint64_t v) {
              unit.last_ns = WrappedSum(unit.first_ns, static_cast<int64_t>(v));
            }) ||
      !read(kUnitDuration,
            [duration = uint64_t{0}](Unit& unit, uint64_t v) mutable {
              duration += static_cast<uint64_t>(UnZigZag(v));
              unit.min_duration_ns = static_cast<int64_t>(duration);
            }) ||
      !read(kUnitSlowest,
            [](Unit& unit, uint64_t v) {
              unit.max_duration_ns = WrappedSum(unit.min_duration_ns, static_cast<int64_t>(v));
            }) ||
      !read(kUnitId,
            [&](Unit& unit, uint64_t v) {
              id += static_cast<uint64_t>(UnZigZag(v));
              unit.least_id = id;
            }) ||
      !read(kUnitIds, [](Unit& unit, uint64_t v) { unit.greatest_id = unit.least_id + v; }) ||
      !read(kUnitPairs, [](Unit& unit, uint64_t v) { unit.first_pair = v; })) {
    return false;
  }
  size_t rows = 0;
  size_t pairs = 0;
  for (Unit& unit : units_) {
    if (unit.rows == 0 || unit.rows > meta_.rows - rows || unit.connections > unit.rows ||
        unit.first_pair > unit.rows) {
      return false;
    }
    rows += unit.rows;
    pairs += std::exchange(unit.first_pair, pairs);
  }
  return rows == meta_.rows && pairs == meta_.alias_pairs;
}

bool SpanTables::ReadTexts() {
  std::string room;
  const auto section = frame_.Read(SectionOf(kTextsColumn), room, kMaxSpanTextBytes);
  if (!section.ok()) return false;
  auto texts = TextTable::Parse(*section, kMaxSpanTextBytes);
  if (!texts.ok()) return false;
  texts_ = *std::move(texts);
  return true;
}

bool SpanTables::ReadResults() {
  std::vector<uint64_t> values;
  std::vector<uint32_t> texts;
  if (!DecodeNumberColumn(frame_, kEndpointText, meta_.endpoints, values) ||
      !BelowTexts(values, texts_, endpoint_texts_) ||
      !DecodeNumberColumn(frame_, kResultText, meta_.results, values) ||
      !BelowTexts(values, texts_, texts) ||
      !DecodeNumberColumn(frame_, kResultKind, meta_.results, values)) {
    return false;
  }
  for (size_t i = 0; i < meta_.results; ++i) {
    Result& result = results_.emplace_back();
    result.text = texts[i];
    result.slow = values[i] > 0xff;
    if (values[i] > 0x1ff || !FromBits(values[i] & 0xff, result.outcome)) return false;
  }
  return true;
}

AttributeTables* SpanTables::Attributes() {
  if (!attributes_.has_value()) {
    attributes_.emplace();
    if (!attributes_->Read(frame_, meta_, texts_)) Fail();
  }
  return damaged_ ? nullptr : &*attributes_;
}

const AliasTable* SpanTables::Aliases() {
  if (!aliases_.has_value()) {
    aliases_.emplace();
    if (!aliases_->Read(frame_, meta_)) Fail();
  }
  return damaged_ ? nullptr : &*aliases_;
}

}  // namespace kindling::storage
