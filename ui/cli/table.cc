#include "ui/cli/table.h"

#include <glog/logging.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include "ui/cli/text.h"

namespace kindling::ui {
namespace {

constexpr size_t kGap = 2;

}  // namespace

void Table::AddRow(std::vector<Cell> cells) {
  CHECK_EQ(cells.size(), columns_.size());
  for (Cell& cell : cells) cell.text = CleanText(cell.text);
  rows_.push_back(std::move(cells));
}

std::vector<size_t> Table::Widths(size_t limit) const {
  std::vector<size_t> widths;
  for (size_t i = 0; i < columns_.size(); ++i) {
    size_t width = columns_[i].name.size();
    for (const auto& row : rows_) width = std::max(width, DisplayWidth(row[i].text));
    widths.push_back(width);
  }
  if (limit == 0) return widths;
  size_t total = std::accumulate(widths.begin(), widths.end(), kGap * (widths.size() - 1));
  while (total > limit) {
    size_t widest = columns_.size();
    for (size_t i = 0; i < columns_.size(); ++i) {
      const size_t least = std::max(columns_[i].flexible, columns_[i].name.size());
      if (columns_[i].flexible == 0 || widths[i] <= least) continue;
      if (widest == columns_.size() || widths[i] > widths[widest]) widest = i;
    }
    if (widest == columns_.size()) break;
    --widths[widest];
    --total;
  }
  return widths;
}

std::string Table::Render(const Style& style, size_t width) const {
  const std::vector<size_t> widths = Widths(width);
  std::string out;
  const auto line = [&](const auto& cell_at) {
    std::string text;
    size_t pending = 0;  // spaces that matter only if something follows
    for (size_t i = 0; i < columns_.size(); ++i) {
      const Cell& cell = cell_at(i);
      const std::string shown = Truncate(cell.text, widths[i], style.ellipsis());
      const size_t padding = widths[i] - std::min(widths[i], DisplayWidth(shown));
      if (i > 0) pending += kGap;
      if (columns_[i].right) pending += padding;
      if (!shown.empty()) {
        text += std::string(pending, ' ') + style.Paint(cell.tone, shown);
        pending = 0;
      }
      if (!columns_[i].right) pending += padding;
    }
    out += text + "\n";
  };
  std::vector<Cell> heading;
  for (const Column& column : columns_) heading.emplace_back(column.name, Tone::kBold);
  line([&](size_t i) -> const Cell& { return heading[i]; });
  for (const auto& row : rows_) line([&](size_t i) -> const Cell& { return row[i]; });
  return out;
}

}  // namespace kindling::ui
