#pragma once

#include <cstddef>
#include <string>

#include "absl/strings/str_format.h"
#include "ui/cli/session.h"

// What the commands that list things share.
namespace kindling::ui {

// Cuts `rows` to --limit and returns how many there were.
template <typename Rows>
size_t LimitRows(const Session& session, Rows* rows) {
  const auto total = static_cast<size_t>(rows->size());
  const size_t limit = session.globals().limit;
  if (limit > 0 && total > limit) {
    rows->DeleteSubrange(static_cast<int>(limit), static_cast<int>(total - limit));
  }
  return total;
}

// "100 of 2345 edges shown; raise --limit", or nothing when all are shown.
inline std::string LimitNote(size_t shown, size_t total, const std::string& what) {
  if (shown >= total) return "";
  return absl::StrFormat("%d of %d %s shown; raise --limit for more\n", shown, total, what);
}

// What stands in place of a table without rows.
inline std::string NothingFound(const Session& session, const std::string& what) {
  const bool is_filtered = !session.globals().filter.empty();
  // Agents report whole windows of 10 s, a moment after their end.
  constexpr int64_t kFreshNs = 30'000'000'000;
  const AskedRange& range = session.globals().range;
  const bool is_fresh = range.end_ns == 0 && session.now_ns() - range.start_ns < kFreshNs;
  return absl::StrFormat(
      "no %s %s%s; %stry a longer --since, or \"kindlingctl get agents\" for who "
      "is watching\n",
      what, session.TimeInWords(), is_filtered ? " match the filter" : "",
      is_fresh ? "agents report every 10 s: " : "");
}

}  // namespace kindling::ui
