#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "ui/cli/style.h"

namespace kindling::ui {

struct Cell {
  Cell(std::string cell_text, Tone cell_tone = Tone::kPlain)  // NOLINT: text is a cell
      : text(std::move(cell_text)), tone(cell_tone) {}
  std::string text;
  Tone tone;
};

inline Tone BadIf(bool is_bad) { return is_bad ? Tone::kBad : Tone::kPlain; }

struct Column {
  std::string name;
  bool right = false;   // aligned right, as numbers are
  size_t flexible = 0;  // may be cut to this many columns where the table is too wide; 0: never
};

// Aligned text columns, two spaces apart. Cells are cleaned (CleanText).
class Table {
 public:
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

  // REQUIRES: one cell per column.
  void AddRow(std::vector<Cell> cells);
  bool empty() const { return rows_.empty(); }

  // The table with a heading. `width` 0: as wide as it needs to be; otherwise flexible columns are
  // cut, the widest first, until it fits or all are at their least.
  std::string Render(const Style& style, size_t width) const;

 private:
  std::vector<size_t> Widths(size_t limit) const;

  const std::vector<Column> columns_;
  std::vector<std::vector<Cell>> rows_;
};

}  // namespace kindling::ui
