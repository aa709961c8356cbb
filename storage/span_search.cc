#include "storage/span_search.h"

namespace kindling::storage {

int64_t RankOf(const model::Span& span, SpanSearch::Order order) {
  if (order == SpanSearch::Order::kNewest) return span.start_ns;
  // As Span::duration_ns, of durations that may be anything.
  return static_cast<int64_t>(static_cast<uint64_t>(span.request_duration_ns) +
                              static_cast<uint64_t>(span.wait_duration_ns) +
                              static_cast<uint64_t>(span.response_duration_ns));
}

}  // namespace kindling::storage
