#include "controller/query/span_page.h"

#include <charconv>
#include <limits>
#include <utility>

#include "absl/strings/str_format.h"

namespace kindling::controller {

SpanPosition PositionOf(const model::Span& span, bool slowest) {
  return {.rank = slowest ? span.duration_ns() : span.start_ns,
          .id = span.id,
          .side = static_cast<uint8_t>(span.side),
          .pid = span.pid};
}

std::string SpanPosition::ToToken(bool slowest) const {
  return absl::StrFormat("%c%016x%016x%02x%08x", slowest ? 's' : 'n', static_cast<uint64_t>(rank),
                         id, side, pid);
}

absl::StatusOr<SpanPosition> SpanPosition::FromToken(std::string_view token, bool slowest) {
  constexpr size_t kSize = 1 + 16 + 16 + 2 + 8;
  SpanPosition out;
  uint64_t rank = 0;
  const auto read = [&](size_t at, size_t digits, auto& value) {
    const char* begin = token.data() + at;
    const auto parsed = std::from_chars(begin, begin + digits, value, 16);
    return parsed.ec == std::errc() && parsed.ptr == begin + digits;
  };
  if (token.size() != kSize || token[0] != (slowest ? 's' : 'n') || !read(1, 16, rank) ||
      !read(17, 16, out.id) || !read(33, 2, out.side) || !read(35, 8, out.pid)) {
    return absl::InvalidArgumentError(
        "page_token: not one that a listing in this order gave; begin without one");
  }
  out.rank = static_cast<int64_t>(rank);
  return out;
}

bool SpanPage::Wants(const model::Span& span) const {
  const SpanPosition position = PositionOf(span, slowest_);
  if (position >= after_) return false;
  return !full() || position > PositionOf(std::prev(rows_.end())->span, slowest_);
}

int64_t SpanPage::lowest_rank() const {
  return full() ? PositionOf(std::prev(rows_.end())->span, slowest_).rank
                : std::numeric_limits<int64_t>::min();
}

void SpanPage::Offer(NamedSpan span) {
  if (!Wants(span.span)) return;
  rows_.insert(std::move(span));
  if (rows_.size() > size_ + 1) rows_.erase(std::prev(rows_.end()));
}

std::vector<NamedSpan> SpanPage::Take(std::string* next_token) {
  next_token->clear();
  const bool more = full();
  if (more) rows_.erase(std::prev(rows_.end()));
  std::vector<NamedSpan> out(rows_.begin(), rows_.end());
  if (more && !out.empty()) *next_token = PositionOf(out.back().span, slowest_).ToToken(slowest_);
  rows_.clear();
  return out;
}

}  // namespace kindling::controller
