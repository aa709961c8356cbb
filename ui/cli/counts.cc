#include "ui/cli/counts.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "ui/cli/format.h"

namespace kindling::ui {

double SumOf(const Counts& counts) {
  double sum = 0;
  for (const auto& [name, count] : counts) sum += count;
  return sum;
}

std::string ByName(const Counts& counts) {
  std::vector<std::pair<std::string, double>> sorted(counts.begin(), counts.end());
  std::ranges::sort(sorted);
  std::string text;
  for (const auto& [name, count] : sorted) {
    if (!text.empty()) text += ", ";
    text += FormatCount(count) + " " + name;
  }
  return text.empty() ? "0" : text;
}

std::string CountOrDash(double count) { return count == 0 ? "-" : FormatCount(count); }

}  // namespace kindling::ui
