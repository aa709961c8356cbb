#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "model/records.h"
#include "storage/blocks/sealed_block.h"
#include "storage/blocks/span_filter.h"
#include "storage/blocks/span_summary.h"
#include "storage/blocks/zstd_dictionaries.h"
#include "storage/span_search.h"

// Spans in columns: README.md draws the format.
namespace kindling::storage {

// Rows that a full block has; an encoder takes up to twice as many.
inline constexpr size_t kSpanBlockRows = 16'384;

// Rows of a unit of a block: one row cannot be read without the others of its unit, and each unit
// begins to learn anew.
inline constexpr size_t kSpanUnitRows = 2048;

// Bytes of text that the spans of one block may hold together, each attribute counted as 64 more.
inline constexpr size_t kSpanBlockTextBytes = size_t{64} << 20;
size_t SpanTextBytes(const model::Span& span);

// Encodes 1 .. 2 * kSpanBlockRows spans of at most kSpanBlockTextBytes; they are put into an order
// of the block's own.
SealedBlock EncodeSpanBlock(const std::vector<const model::Span*>& spans,
                            const ZstdDictionaries& dictionaries, size_t unit_rows = kSpanUnitRows);
SealedBlock EncodeSpanBlock(const std::vector<model::Span>& spans,
                            const ZstdDictionaries& dictionaries, size_t unit_rows = kSpanUnitRows);

// What a dictionary for blocks of such spans should be trained on.
std::vector<std::string> SpanDictionarySamples(const std::vector<model::Span>& spans);

// The body of a block, of which units and columns are read as a search needs them.
//
// Lifetime: what `body` and `dictionaries` refer to must outlive this.
// Failure:  DATA_LOSS for bytes that EncodeSpanBlock cannot have made; never more memory than a few
//           times the limits of README.md.
// Threads:  one at a time.
class SpanBlock {
 public:
  static absl::StatusOr<SpanBlock> Open(std::string_view body,
                                        const ZstdDictionaries& dictionaries);
  SpanBlock(SpanBlock&&) noexcept;
  SpanBlock& operator=(SpanBlock&&) noexcept;
  ~SpanBlock();

  // Gives the rows that meet `search`, of each unit the highest rank first, while their rank is at
  // least `lowest_rank`. Returns the visitor's last word, `lowest_rank` when it was not asked.
  // `wanted_ends` is what the block's summary says; where that is empty the search is asked.
  // `units` are those that may have such rows.
  absl::StatusOr<int64_t> Search(const SpanSearch& search, int64_t lowest_rank,
                                 const SpanVisitor& visit,
                                 const std::vector<bool>& wanted_ends = {},
                                 SpanUnits units = SpanUnits::All());

  // Rows with one of these ids (sorted), of one of these traces (sorted) or aliases (sorted).
  absl::StatusOr<std::vector<model::Span>> FindSpans(const std::vector<model::SpanId>& ids);
  // Traces in these units alone.
  absl::StatusOr<std::vector<model::Span>> FindTraces(const std::vector<model::TraceId>& ids,
                                                      SpanUnits units = SpanUnits::All());
  absl::StatusOr<std::vector<model::Span>> FindAliases(const std::vector<model::TraceId>& ids);
  // Rows of these units that began in start_ns <= time < end_ns and whose parent is one of these
  // (sorted).
  absl::StatusOr<std::vector<model::Span>> FindChildren(const std::vector<model::SpanId>& parents,
                                                        int64_t start_ns, int64_t end_ns,
                                                        SpanUnits units = SpanUnits::All());

  // All rows.
  absl::StatusOr<std::vector<model::Span>> Decode();

 private:
  struct Parts;
  explicit SpanBlock(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace kindling::storage
