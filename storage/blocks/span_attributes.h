#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "base/hash.h"
#include "model/records.h"
#include "storage/blocks/frame.h"
#include "storage/blocks/number_column.h"
#include "storage/blocks/span_layout.h"
#include "storage/blocks/span_rows.h"
#include "storage/blocks/text_table.h"

// Attributes of the spans of a block. A shape is a sequence of names, each a slot; a slot's values
// are a column of their own, as texts of the block or, when most differ, one after the other.
namespace kindling::storage {

// What attributes depend on, by row: of the block for a writer, of the unit for a reader.
struct AttributeContexts {
  std::span<const uint32_t> endpoint;
  uint32_t endpoint_count = 0;
  std::span<const uint32_t> result;
  uint32_t result_count = 0;
};

// Lifetime: the spans must outlive this.
class AttributesWriter {
 public:
  explicit AttributesWriter(const SpanRows& rows);

  void AddTexts(TextTableBuilder& texts) const;
  // Columns of the block. After AddTexts, before any unit.
  void WriteBlock(FrameWriter& frame, const TextTableBuilder& texts, SpanMeta& meta);
  // Columns of the unit with these rows.
  void WriteUnit(FrameWriter& frame, uint32_t base, const SpanRows::Unit& unit,
                 const AttributeContexts& contexts) const;

  // By slot, the hashes of its distinct pairs of name and value, of which some may be equal.
  template <typename Hash>
  std::vector<std::vector<uint64_t>> HashPairs(Hash hash) const {
    std::vector<std::vector<uint64_t>> hashes(slots_.size());
    for (size_t slot = 0; slot < slots_.size(); ++slot) {
      hashes[slot] = hash(slots_[slot].name, slots_[slot].distinct);
    }
    return hashes;
  }
  // Calls visit(slot, pair), numbers as above, for each attribute of a unit's rows.
  template <typename Visit>
  void VisitPairsOf(const SpanRows::Unit& unit, Visit visit) const {
    for (const Column& column : columns_) {
      for (const Cell& cell : column.CellsOf(unit)) visit(cell.slot, cell.value);
    }
  }

 private:
  struct Slot {
    std::string_view name;
    uint32_t occurrence = 0;  // how many of the name stand before it in the row
    uint32_t column = 0;
    uint64_t cells = 0;
    uint32_t last = 0;     // of distinct, that was looked up last
    bool differs = false;  // values are no longer looked up: some are more than once in distinct
    std::vector<std::string_view> distinct;
    absl::flat_hash_map<std::string_view, uint32_t, base::StringHash, std::equal_to<>> numbers;
  };
  struct Cell {
    uint32_t slot = 0;
    uint32_t value = 0;  // of the slot's distinct
  };
  struct Column {
    bool raw = false;            // most values differ
    std::vector<uint32_t> rows;  // of each cell
    std::vector<Cell> cells;

    std::span<const uint32_t> RowsOf(const SpanRows::Unit& unit) const;
    std::span<const Cell> CellsOf(const SpanRows::Unit& unit) const;
  };
  uint32_t SlotOf(std::string_view name, uint32_t occurrence);
  uint32_t ShapeOf(const model::Span& span);
  static uint32_t NumberOf(Slot& slot, std::string_view text);
  void OrderSlots();
  std::string_view TextOf(const Cell& cell) const { return slots_[cell.slot].distinct[cell.value]; }

  std::vector<Slot> slots_;
  std::vector<std::vector<uint32_t>> shapes_;  // slots
  std::vector<uint64_t> shape_of_row_;
  std::vector<Column> columns_;
  std::vector<std::vector<uint32_t>> text_numbers_;  // of each slot's distinct
  absl::flat_hash_map<std::pair<std::string_view, uint32_t>, uint32_t> slot_numbers_;
  absl::flat_hash_map<std::vector<uint32_t>, uint32_t> shape_numbers_;
};

// Shapes, slots and columns: what the units of a block share.
struct AttributeTables {
  std::vector<std::vector<uint32_t>> shapes;  // slots
  std::vector<uint64_t> slot_names;
  std::vector<uint64_t> slot_columns;
  std::vector<AttributeColumnKind> kinds;  // of columns
  // What readers of units have taken so far.
  size_t cells = 0;
  size_t raw_bytes = 0;

  // False: damaged.
  [[nodiscard]] bool Read(const FrameReader& frame, const SpanMeta& meta, const TextTable& texts);

  // False when no row of the block can have the pair.
  bool MayHave(std::string_view name, std::string_view value, const TextTable& texts) const;
};

// The attributes of a unit's rows.
//
// Lifetime: what Load is given must outlive this.
class AttributesReader {
 public:
  // False: damaged.
  [[nodiscard]] bool Load(const FrameReader& frame, uint32_t base, AttributeTables& tables,
                          const TextTable& texts, const AttributeContexts& contexts);

  // Marks in `wanted` (by row) as false what lacks the pair. False: damaged.
  [[nodiscard]] bool Keep(std::string_view name, std::string_view value, std::vector<bool>& wanted);

  // So that Get may be called for rows like these. False: damaged.
  [[nodiscard]] bool LoadFor(std::span<const uint32_t> rows);
  void Get(uint32_t row, std::vector<std::pair<std::string, std::string>>& attributes) const;

 private:
  struct Column {
    bool is_loaded = false;
    uint32_t first = 0;  // of its cells, in rows_
    uint32_t cells = 0;
    std::vector<uint64_t> numbers;  // of texts
    std::string bytes;              // raw: all values ...
    std::vector<size_t> ends;       // ... and where each ends
  };
  bool LoadColumn(size_t number);
  bool LoadRaw(size_t number, Column& column, std::span<const ColumnContext> contexts);
  std::string_view Value(size_t number, uint32_t cell) const;
  const std::vector<uint32_t>& ShapeOf(uint32_t row) const {
    return tables_->shapes[shape_of_row_[row]];
  }

  const FrameReader* frame_ = nullptr;
  AttributeTables* tables_ = nullptr;
  const TextTable* texts_ = nullptr;
  uint32_t base_ = 0;
  AttributeContexts contexts_;
  std::vector<uint64_t> shape_of_row_;
  std::vector<uint32_t> first_cell_;  // of each row, into cells_
  std::vector<uint32_t> cells_;       // number within its column
  std::vector<uint32_t> rows_;        // of the cells, column by column
  std::vector<Column> columns_;
};

}  // namespace kindling::storage
