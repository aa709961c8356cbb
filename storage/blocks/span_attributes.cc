#include "storage/blocks/span_attributes.h"

#include <algorithm>
#include <array>
#include <numeric>

#include "storage/blocks/number_column.h"
#include "storage/varint.h"

namespace kindling::storage {
namespace {

// Of fewer values a dictionary costs nothing.
constexpr size_t kLeastRaw = 16;
// After so many values it is clear whether most differ.
constexpr size_t kTrial = 1024;

constexpr size_t kRecentShapes = 64;

// Spans with the same names of attributes are alike.
size_t LikenessOf(const model::Span& span) {
  const auto& attributes = span.attributes;
  if (attributes.empty()) return 0;
  return (attributes.size() * 31 + attributes.front().first.size() * 11 +
          attributes[attributes.size() / 2].first.size() * 5 + attributes.back().first.size()) %
         kRecentShapes;
}

bool HaveSameNames(const model::Span& a, const model::Span& b) {
  return std::equal(a.attributes.begin(), a.attributes.end(), b.attributes.begin(),
                    b.attributes.end(),
                    [](const auto& x, const auto& y) { return x.first == y.first; });
}

// The contexts of a column's cells: endpoint and result of their rows.
std::array<ColumnContext, 2> CellContexts(std::span<const uint32_t> rows,
                                          const AttributeContexts& contexts) {
  return {{{.of_value = contexts.endpoint, .count = contexts.endpoint_count, .row_of_value = rows},
           {.of_value = contexts.result, .count = contexts.result_count, .row_of_value = rows}}};
}

size_t SharedPrefix(std::string_view a, std::string_view b) {
  const size_t most = std::min(a.size(), b.size());
  size_t size = 0;
  while (size < most && a[size] == b[size]) ++size;
  return size;
}

// `text_of` gives the text of a cell.
template <typename TextOf>
void WriteRaw(FrameWriter& frame, uint32_t first, size_t cells, TextOf text_of,
              std::span<const ColumnContext> contexts) {
  std::vector<std::string_view> lasts(contexts.front().count);
  std::vector<uint64_t> prefixes;
  std::vector<uint64_t> suffixes;
  std::string bytes;
  for (size_t i = 0; i < cells; ++i) {
    std::string_view& last = lasts[contexts.front().Of(i)];
    const std::string_view text = text_of(i);
    const size_t shared = SharedPrefix(last, text);
    prefixes.push_back(shared);
    suffixes.push_back(text.size() - shared);
    bytes += text.substr(shared);
    last = text;
  }
  EncodeNumberColumn(frame, first, prefixes, contexts);
  EncodeNumberColumn(frame, first + 1, suffixes, contexts);
  if (!bytes.empty()) frame.Add(SectionOf(first + 2), bytes, Packing::kDense);
}

}  // namespace

AttributesWriter::AttributesWriter(const SpanRows& rows) {
  std::vector<uint32_t> shape_of_span;
  std::vector<size_t> first_cell;
  std::vector<uint32_t> values;  // of all cells
  shape_of_span.reserve(rows.spans.size());
  first_cell.reserve(rows.spans.size());
  // The shape that spans like this had last: names are then compared, not hashed.
  struct Recent {
    const model::Span* span = nullptr;
    uint32_t shape = 0;
  };
  std::array<Recent, kRecentShapes> recent;
  for (const model::Span* span : rows.spans) {
    Recent& like = recent[LikenessOf(*span)];
    if (like.span == nullptr || !HaveSameNames(*like.span, *span)) like.shape = ShapeOf(*span);
    like.span = span;
    shape_of_span.push_back(like.shape);
    first_cell.push_back(values.size());
    const std::vector<uint32_t>& shape = shapes_[shape_of_span.back()];
    for (size_t i = 0; i < shape.size(); ++i) {
      values.push_back(NumberOf(slots_[shape[i]], span->attributes[i].second));
    }
  }
  OrderSlots();
  shape_of_row_.reserve(rows.spans.size());
  for (uint32_t row = 0; row < rows.span_of_row.size(); ++row) {
    const uint32_t span = rows.span_of_row[row];
    shape_of_row_.push_back(shape_of_span[span]);
    const std::vector<uint32_t>& shape = shapes_[shape_of_span[span]];
    for (size_t i = 0; i < shape.size(); ++i) {
      Column& column = columns_[slots_[shape[i]].column];
      column.rows.push_back(row);
      column.cells.push_back({shape[i], values[first_cell[span] + i]});
    }
  }
}

// Texts that mostly differ are not worth a dictionary.
uint32_t AttributesWriter::NumberOf(Slot& slot, std::string_view text) {
  const auto next = static_cast<uint32_t>(slot.distinct.size());
  ++slot.cells;
  if (!slot.differs && next >= kTrial && next * 2 > slot.cells) slot.differs = true;
  if (slot.differs) {
    slot.distinct.push_back(text);
    return next;
  }
  if (next > 0 && slot.distinct[slot.last] == text) return slot.last;
  const auto [it, added] = slot.numbers.try_emplace(text, next);
  if (added) slot.distinct.push_back(text);
  slot.last = it->second;
  return it->second;
}

uint32_t AttributesWriter::SlotOf(std::string_view name, uint32_t occurrence) {
  const auto [it, added] =
      slot_numbers_.try_emplace(std::pair(name, occurrence), static_cast<uint32_t>(slots_.size()));
  if (added) slots_.push_back({.name = name, .occurrence = occurrence});
  return it->second;
}

uint32_t AttributesWriter::ShapeOf(const model::Span& span) {
  std::vector<uint32_t> shape;
  absl::flat_hash_map<std::string_view, uint32_t> occurrences;
  for (const auto& [name, value] : span.attributes) {
    shape.push_back(SlotOf(name, occurrences[name]++));
  }
  const auto [it, added] =
      shape_numbers_.try_emplace(std::move(shape), static_cast<uint32_t>(shapes_.size()));
  if (added) shapes_.push_back(it->first);
  return it->second;
}

// The most frequent slots have columns of their own, the rest share the last.
void AttributesWriter::OrderSlots() {
  std::vector<uint32_t> order(slots_.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](uint32_t a, uint32_t b) { return slots_[a].cells > slots_[b].cells; });
  for (uint32_t rank = 0; rank < order.size(); ++rank) {
    slots_[order[rank]].column = std::min<uint32_t>(rank, kMaxAttributeColumns - 1);
  }
  columns_.resize(std::min(slots_.size(), kMaxAttributeColumns));
  std::vector<std::pair<uint64_t, uint64_t>> cells_and_distinct(columns_.size());
  for (const Slot& slot : slots_) {
    auto& [cells, distinct] = cells_and_distinct[slot.column];
    cells += slot.cells;
    distinct += slot.distinct.size();
    columns_[slot.column].raw |= slot.differs;
  }
  for (size_t i = 0; i < columns_.size(); ++i) {
    const auto& [cells, distinct] = cells_and_distinct[i];
    columns_[i].rows.reserve(cells);
    columns_[i].cells.reserve(cells);
    columns_[i].raw |= cells >= kLeastRaw && distinct * 3 > cells;
  }
}

std::span<const uint32_t> AttributesWriter::Column::RowsOf(const SpanRows::Unit& unit) const {
  const auto begin = std::lower_bound(rows.begin(), rows.end(), unit.first_row);
  return {begin, std::lower_bound(begin, rows.end(), unit.first_row + unit.rows)};
}

std::span<const AttributesWriter::Cell> AttributesWriter::Column::CellsOf(
    const SpanRows::Unit& unit) const {
  const std::span<const uint32_t> of_unit = RowsOf(unit);
  return std::span(cells).subspan(static_cast<size_t>(of_unit.data() - rows.data()),
                                  of_unit.size());
}

void AttributesWriter::AddTexts(TextTableBuilder& texts) const {
  for (const Slot& slot : slots_) {
    texts.Add(slot.name);
    if (columns_[slot.column].raw) continue;
    for (const std::string_view text : slot.distinct) texts.Add(text);
  }
}

void AttributesWriter::WriteBlock(FrameWriter& frame, const TextTableBuilder& texts,
                                  SpanMeta& meta) {
  meta.shapes = shapes_.size();
  meta.slots = slots_.size();
  meta.attribute_columns = columns_.size();
  std::vector<uint64_t> sizes;
  std::vector<uint64_t> shape_slots;
  for (const std::vector<uint32_t>& shape : shapes_) {
    sizes.push_back(shape.size());
    shape_slots.insert(shape_slots.end(), shape.begin(), shape.end());
  }
  EncodeNumberColumn(frame, kShapeSize, sizes);
  EncodeNumberColumn(frame, kShapeSlot, shape_slots);
  std::vector<uint64_t> names;
  std::vector<uint64_t> slot_columns;
  text_numbers_.resize(slots_.size());
  for (size_t slot = 0; slot < slots_.size(); ++slot) {
    names.push_back(texts.NumberOf(slots_[slot].name));
    slot_columns.push_back(slots_[slot].column);
    if (columns_[slots_[slot].column].raw) continue;
    for (const std::string_view text : slots_[slot].distinct) {
      text_numbers_[slot].push_back(texts.NumberOf(text));
    }
  }
  EncodeNumberColumn(frame, kSlotName, names);
  EncodeNumberColumn(frame, kSlotColumn, slot_columns);
  std::vector<uint64_t> kinds;
  for (const Column& column : columns_) {
    kinds.push_back(static_cast<uint64_t>(column.raw ? AttributeColumnKind::kRaw
                                                     : AttributeColumnKind::kTexts));
  }
  EncodeNumberColumn(frame, kColumnKind, kinds);
}

void AttributesWriter::WriteUnit(FrameWriter& frame, uint32_t base, const SpanRows::Unit& unit,
                                 const AttributeContexts& contexts) const {
  const std::array<ColumnContext, 1> by_endpoint = {
      {{contexts.endpoint.subspan(unit.first_row, unit.rows), contexts.endpoint_count}}};
  EncodeNumberColumn(frame, base + kShape,
                     std::span(shape_of_row_).subspan(unit.first_row, unit.rows), by_endpoint);
  for (uint32_t i = 0; i < columns_.size(); ++i) {
    const Column& column = columns_[i];
    const uint32_t first_column = base + kAttributes + i * kColumnsPerAttribute;
    const std::span<const Cell> cells = column.CellsOf(unit);
    const std::array by_cell = CellContexts(column.RowsOf(unit), contexts);
    if (column.raw) {
      WriteRaw(
          frame, first_column, cells.size(), [&](size_t cell) { return TextOf(cells[cell]); },
          by_cell);
      continue;
    }
    std::vector<uint64_t> numbers(cells.size());
    for (size_t cell = 0; cell < cells.size(); ++cell) {
      numbers[cell] = text_numbers_[cells[cell].slot][cells[cell].value];
    }
    EncodeNumberColumn(frame, first_column, numbers, by_cell);
  }
}

bool AttributeTables::Read(const FrameReader& frame, const SpanMeta& meta, const TextTable& texts) {
  std::vector<uint64_t> sizes;
  std::vector<uint64_t> shape_slots;
  std::vector<uint64_t> kind_numbers;
  if (meta.slots > kMaxAttributeCells || meta.attribute_columns > kMaxAttributeColumns ||
      !DecodeNumberColumn(frame, kShapeSize, meta.shapes, sizes)) {
    return false;
  }
  size_t slots_of_shapes = 0;
  for (const uint64_t size : sizes) {
    if (size > kMaxAttributeCells) return false;
    slots_of_shapes += size;
    if (slots_of_shapes > kMaxAttributeCells) return false;
  }
  if (!DecodeNumberColumn(frame, kShapeSlot, slots_of_shapes, shape_slots) ||
      !DecodeNumberColumn(frame, kSlotName, meta.slots, slot_names) ||
      !DecodeNumberColumn(frame, kSlotColumn, meta.slots, slot_columns) ||
      !DecodeNumberColumn(frame, kColumnKind, meta.attribute_columns, kind_numbers)) {
    return false;
  }
  for (size_t slot = 0; slot < meta.slots; ++slot) {
    if (slot_names[slot] >= texts.size() || slot_columns[slot] >= meta.attribute_columns) {
      return false;
    }
  }
  kinds.resize(meta.attribute_columns);
  for (size_t i = 0; i < kinds.size(); ++i) {
    if (!FromBits(kind_numbers[i], kinds[i]) || kind_numbers[i] > 1) return false;
  }
  size_t at = 0;
  for (const uint64_t size : sizes) {
    std::vector<uint32_t>& shape = shapes.emplace_back();
    for (uint64_t i = 0; i < size; ++i) {
      if (shape_slots[at] >= meta.slots) return false;
      shape.push_back(static_cast<uint32_t>(shape_slots[at++]));
    }
  }
  return true;
}

bool AttributeTables::MayHave(std::string_view name, std::string_view value,
                              const TextTable& texts) const {
  const size_t name_number = texts.Find(name);
  if (name_number == texts.size()) return false;
  const bool has_value = texts.Find(value) != texts.size();
  for (size_t slot = 0; slot < slot_names.size(); ++slot) {
    if (slot_names[slot] != name_number) continue;
    if (has_value || kinds[slot_columns[slot]] == AttributeColumnKind::kRaw) return true;
  }
  return false;
}

bool AttributesReader::Load(const FrameReader& frame, uint32_t base, AttributeTables& tables,
                            const TextTable& texts, const AttributeContexts& contexts) {
  frame_ = &frame;
  tables_ = &tables;
  texts_ = &texts;
  base_ = base;
  contexts_ = contexts;
  const size_t rows = contexts.endpoint.size();
  const std::array<ColumnContext, 1> by_endpoint = {{{contexts.endpoint, contexts.endpoint_count}}};
  if (!DecodeNumberColumn(frame, base + kShape, rows, shape_of_row_, by_endpoint)) return false;
  std::vector<uint32_t> rows_of_shape(tables.shapes.size());
  for (const uint64_t shape : shape_of_row_) {
    if (shape >= tables.shapes.size()) return false;
    ++rows_of_shape[shape];
  }
  columns_.assign(tables.kinds.size(), {});
  std::vector<std::vector<uint32_t>> columns_of_shape(tables.shapes.size());
  size_t cells = 0;
  for (size_t shape = 0; shape < rows_of_shape.size(); ++shape) {
    if (rows_of_shape[shape] == 0) continue;
    cells += rows_of_shape[shape] * tables.shapes[shape].size();
    if (tables.cells + cells > kMaxAttributeCells) return false;
    for (const uint32_t slot : tables.shapes[shape]) {
      const auto column = static_cast<uint32_t>(tables.slot_columns[slot]);
      columns_of_shape[shape].push_back(column);
      columns_[column].cells += rows_of_shape[shape];
    }
  }
  tables.cells += cells;
  std::vector<uint32_t> next;  // cell of each column, in rows_
  uint32_t at = 0;
  for (Column& column : columns_) {
    column.first = at;
    next.push_back(at);
    at += column.cells;
  }
  first_cell_.resize(rows);
  cells_.resize(cells);
  rows_.resize(cells);
  at = 0;
  for (uint32_t row = 0; row < rows; ++row) {
    first_cell_[row] = at;
    for (const uint32_t column : columns_of_shape[shape_of_row_[row]]) {
      rows_[next[column]] = row;
      cells_[at++] = next[column]++ - columns_[column].first;
    }
  }
  return true;
}

bool AttributesReader::LoadColumn(size_t number) {
  Column& column = columns_[number];
  if (column.is_loaded) return true;
  const std::array contexts = CellContexts({rows_.data() + column.first, column.cells}, contexts_);
  const uint32_t first = base_ + kAttributes + static_cast<uint32_t>(number) * kColumnsPerAttribute;
  if (tables_->kinds[number] == AttributeColumnKind::kRaw) {
    if (!LoadRaw(number, column, contexts)) return false;
  } else {
    if (!DecodeNumberColumn(*frame_, first, column.cells, column.numbers, contexts)) {
      return false;
    }
    for (const uint64_t text : column.numbers) {
      if (text >= texts_->size()) return false;
    }
  }
  column.is_loaded = true;
  return true;
}

bool AttributesReader::LoadRaw(size_t number, Column& column,
                               std::span<const ColumnContext> contexts) {
  const uint32_t first = base_ + kAttributes + static_cast<uint32_t>(number) * kColumnsPerAttribute;
  const size_t count = column.cells;
  std::vector<uint64_t> prefixes;
  std::vector<uint64_t> suffixes;
  if (!DecodeNumberColumn(*frame_, first, count, prefixes, contexts) ||
      !DecodeNumberColumn(*frame_, first + 1, count, suffixes, contexts)) {
    return false;
  }
  std::string room;
  std::string_view bytes;
  if (frame_->Has(SectionOf(first + 2))) {
    const auto section = frame_->Read(SectionOf(first + 2), room, kMaxSpanTextBytes);
    if (!section.ok()) return false;
    bytes = *section;
  }
  size_t total = 0;
  for (size_t i = 0; i < count; ++i) {
    if (prefixes[i] > kMaxSpanTextBytes || suffixes[i] > kMaxSpanTextBytes) return false;
    total += prefixes[i] + suffixes[i];
    if (tables_->raw_bytes + total > kMaxSpanTextBytes) return false;
  }
  tables_->raw_bytes += total;
  column.bytes.reserve(total);
  column.ends.reserve(count);
  struct Last {
    size_t start = 0;
    size_t size = 0;
  };
  std::vector<Last> lasts(contexts.front().count);
  size_t at = 0;
  for (size_t i = 0; i < count; ++i) {
    Last& last = lasts[contexts.front().Of(i)];
    if (prefixes[i] > last.size || suffixes[i] > bytes.size() - at) return false;
    const size_t start = column.bytes.size();
    column.bytes.append(column.bytes, last.start, prefixes[i]);
    column.bytes += bytes.substr(at, suffixes[i]);
    at += suffixes[i];
    last = {.start = start, .size = column.bytes.size() - start};
    column.ends.push_back(column.bytes.size());
  }
  return at == bytes.size();
}

std::string_view AttributesReader::Value(size_t number, uint32_t cell) const {
  const Column& column = columns_[number];
  if (tables_->kinds[number] == AttributeColumnKind::kTexts) {
    return (*texts_)[column.numbers[cell]];
  }
  const size_t start = cell == 0 ? 0 : column.ends[cell - 1];
  return std::string_view(column.bytes).substr(start, column.ends[cell] - start);
}

bool AttributesReader::Keep(std::string_view name, std::string_view value,
                            std::vector<bool>& wanted) {
  const AttributeTables& tables = *tables_;
  const size_t name_number = texts_->Find(name);
  const size_t value_number = texts_->Find(value);
  const auto is_text = [&](size_t column) {
    return tables.kinds[column] == AttributeColumnKind::kTexts;
  };
  // Slots whose column may hold the value.
  std::vector<bool> has_name(tables.slot_names.size());
  for (size_t slot = 0; slot < has_name.size(); ++slot) {
    if (tables.slot_names[slot] != name_number || name_number == texts_->size()) continue;
    const size_t column = tables.slot_columns[slot];
    if (is_text(column) && value_number == texts_->size()) continue;
    if (!LoadColumn(column)) return false;
    has_name[slot] = true;
  }
  // Places of these slots in each shape.
  std::vector<std::vector<uint32_t>> places(tables.shapes.size());
  for (size_t shape = 0; shape < places.size(); ++shape) {
    for (uint32_t i = 0; i < tables.shapes[shape].size(); ++i) {
      if (has_name[tables.shapes[shape][i]]) places[shape].push_back(i);
    }
  }
  for (uint32_t row = 0; row < wanted.size(); ++row) {
    if (!wanted[row]) continue;
    const size_t shape = shape_of_row_[row];
    wanted[row] = std::any_of(places[shape].begin(), places[shape].end(), [&](uint32_t place) {
      const size_t column = tables.slot_columns[tables.shapes[shape][place]];
      const uint32_t cell = cells_[first_cell_[row] + place];
      return is_text(column) ? columns_[column].numbers[cell] == value_number
                             : Value(column, cell) == value;
    });
  }
  return true;
}

bool AttributesReader::LoadFor(std::span<const uint32_t> rows) {
  std::vector<bool> is_asked(tables_->shapes.size());
  for (const uint32_t row : rows) {
    if (is_asked[shape_of_row_[row]]) continue;
    is_asked[shape_of_row_[row]] = true;
    for (const uint32_t slot : ShapeOf(row)) {
      if (!LoadColumn(tables_->slot_columns[slot])) return false;
    }
  }
  return true;
}

void AttributesReader::Get(uint32_t row,
                           std::vector<std::pair<std::string, std::string>>& attributes) const {
  const std::vector<uint32_t>& shape = ShapeOf(row);
  attributes.reserve(shape.size());
  for (size_t i = 0; i < shape.size(); ++i) {
    attributes.emplace_back((*texts_)[tables_->slot_names[shape[i]]],
                            Value(tables_->slot_columns[shape[i]], cells_[first_cell_[row] + i]));
  }
}

}  // namespace kindling::storage
