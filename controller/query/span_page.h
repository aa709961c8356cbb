#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "absl/status/statusor.h"
#include "controller/topology/edge_groups.h"
#include "model/records.h"

namespace kindling::controller {

struct NamedSpan {
  model::Span span;
  EdgeGroups::Ends ends;
};

// Where a span stands in a listing; greater ones come first. The id and what follows decide between
// equals, so that pages neither repeat nor skip.
struct SpanPosition {
  int64_t rank = 0;  // start for the newest first, duration for the slowest first
  uint64_t id = 0;
  uint8_t side = 0;
  uint32_t pid = 0;
  auto operator<=>(const SpanPosition&) const = default;

  // A page token, and back; INVALID_ARGUMENT when it is not one that this order made.
  std::string ToToken(bool slowest) const;
  static absl::StatusOr<SpanPosition> FromToken(std::string_view token, bool slowest);
};

SpanPosition PositionOf(const model::Span& span, bool slowest);

// Keeps the first `size` spans of a listing out of any number offered, in any order.
//
// Limits: holds size + 1 spans, of which the last only says that there is a next page.
class SpanPage {
 public:
  // Only what comes after `after` is kept.
  SpanPage(size_t size, bool slowest, SpanPosition after)
      : size_(size), slowest_(slowest), after_(after) {}

  // True when a span at this place would be kept.
  bool Wants(const model::Span& span) const;
  void Offer(NamedSpan span);

  bool full() const { return rows_.size() > size_; }
  // Spans of a higher rank come on earlier pages; those of a lower one on later ones.
  int64_t highest_rank() const { return after_.rank; }
  int64_t lowest_rank() const;
  bool slowest() const { return slowest_; }
  // The page, first rows first, and the token of the next one; empty when there is none.
  std::vector<NamedSpan> Take(std::string* next_token);

 private:
  struct Before {
    bool slowest;
    bool operator()(const NamedSpan& a, const NamedSpan& b) const {
      return PositionOf(a.span, slowest) > PositionOf(b.span, slowest);
    }
  };
  const size_t size_;
  const bool slowest_;
  const SpanPosition after_;
  std::multiset<NamedSpan, Before> rows_{Before{slowest_}};
};

}  // namespace kindling::controller
