#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "model/records.h"
#include "storage/blocks/ends_pool.h"
#include "storage/blocks/span_units.h"
#include "storage/span_search.h"

namespace kindling::storage {

struct SpanRows;

// Of rows that have these endpoints. Never compressed against a dictionary: it is read where none
// is at hand.
std::string EncodeSpanSummary(const SpanRows& rows, const std::vector<std::string_view>& endpoints);

// What is known of a block without reading it. Immutable.
class SpanSummary {
 public:
  // DATA_LOSS: damaged, or of an unknown version.
  static absl::StatusOr<SpanSummary> Parse(std::string_view bytes);

  // False when no row of the block can be wanted.
  bool MayMatch(const SpanSearch& search, EndsAnswers& answers) const;
  // No row that `search` wants has a greater rank; INT64_MIN when there is none. Asks about ends
  // only by duration: by start all ends of a block are about as new.
  int64_t HighestRank(const SpanSearch& search, EndsAnswers& answers) const;
  // By the block's number of ends, whether their rows may be wanted; empty when it is not known.
  std::vector<bool> WantedEnds(const SpanSearch& search, EndsAnswers& answers) const;
  // False when the block cannot hold a span with this id.
  bool MayHoldSpan(model::SpanId id) const;
  const SpanUnitRanges& units() const;

  uint64_t rows() const;
  // Of its own; what it shares with other summaries is not in it.
  size_t memory_bytes() const;

 private:
  struct Parts;
  explicit SpanSummary(std::shared_ptr<const Parts> parts);
  std::shared_ptr<const Parts> parts_;
};

}  // namespace kindling::storage
