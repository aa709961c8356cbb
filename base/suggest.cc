#include "base/suggest.h"

#include <algorithm>
#include <array>
#include <cstddef>

namespace kindling::base {
namespace {

constexpr size_t kMaxWordBytes = 64;

char Fold(char c) {
  if (c == '-') return '_';
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

// Edit distance in which swapping two neighbours costs one.
size_t Distance(std::string_view a, std::string_view b) {
  std::array<std::array<size_t, kMaxWordBytes + 1>, 3> rows;
  for (size_t j = 0; j <= b.size(); ++j) rows[0][j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    auto& row = rows[i % 3];
    const auto& above = rows[(i - 1) % 3];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const bool same = Fold(a[i - 1]) == Fold(b[j - 1]);
      row[j] = std::min({above[j] + 1, row[j - 1] + 1, above[j - 1] + (same ? 0 : 1)});
      if (i > 1 && j > 1 && Fold(a[i - 1]) == Fold(b[j - 2]) && Fold(a[i - 2]) == Fold(b[j - 1])) {
        row[j] = std::min(row[j], rows[(i - 2) % 3][j - 2] + 1);
      }
    }
  }
  return rows[a.size() % 3][b.size()];
}

}  // namespace

std::string Suggest(std::string_view word, std::span<const std::string> candidates) {
  if (word.empty() || word.size() > kMaxWordBytes) return "";
  const std::string* best = nullptr;
  size_t best_distance = std::max<size_t>(1, word.size() / 3) + 1;
  for (const std::string& candidate : candidates) {
    if (candidate.size() > kMaxWordBytes) continue;
    const size_t distance = Distance(word, candidate);
    if (distance < best_distance) {
      best = &candidate;
      best_distance = distance;
    }
  }
  return best == nullptr ? "" : *best;
}

std::string DidYouMean(std::string_view word, std::span<const std::string> candidates) {
  const std::string near = Suggest(word, candidates);
  return near.empty() ? "" : "; did you mean \"" + near + "\"?";
}

}  // namespace kindling::base
