#include "controller/query/span_search_plan.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "model/record_fields.h"

namespace kindling::controller {
namespace {

// Tells whether spans between two ends may match a filter, whatever else they are.
bool MayMatch(const model::Filter& filter, const NamedFlows& flows, const storage::SpanEnds& ends) {
  model::Span span;
  span.side = ends.side;
  span.protocol = ends.protocol;
  span.transport = ends.transport;
  span.client = ends.client;
  span.server = ends.server;
  const auto may_match = [&](const model::EndNames& names, bool are_known) {
    return filter.MayMatch(model::SpanFields(span, names), [&](model::FilterField field) {
      switch (field) {
        case model::FilterField::kService:
        case model::FilterField::kClient:
        case model::FilterField::kServer:
        case model::FilterField::kHost:
          return are_known;
        case model::FilterField::kAddress:
        case model::FilterField::kProtocol:
        case model::FilterField::kTransport:
        case model::FilterField::kSide:
          return true;
        default:
          return false;
      }
    });
  };
  const NamedFlows::EndsList possible = flows.PossibleNames(ends);
  if (possible->empty()) return may_match({}, false);
  return std::any_of(possible->begin(), possible->end(), [&](const EdgeGroups::Ends& names) {
    return may_match(NamesOf(names), true);
  });
}

// The nearest ns outward.
int64_t Floor(double ns) {
  return ns <= 0 ? std::numeric_limits<int64_t>::min()
                 : static_cast<int64_t>(std::min(std::floor(ns), 9e18));
}
int64_t Ceiling(double ns) {
  return ns >= 9e18 ? std::numeric_limits<int64_t>::max()
                    : static_cast<int64_t>(std::max(std::ceil(ns), -1.0));
}

}  // namespace

storage::SpanSearch PlanSearch(const QueryContext& context, const model::Filter& filter,
                               const NamedFlows& flows, const Range& range, const SpanPage& page) {
  model::FilterNeeds needs = filter.Needs();
  storage::SpanSearch search;
  search.tenant = context.caller.tenant;
  search.cluster = context.caller.cluster;
  search.cancelled = context.cancelled;
  search.start_ns = range.start_ns;
  search.end_ns = range.end_ns;
  search.order =
      page.slowest() ? storage::SpanSearch::Order::kSlowest : storage::SpanSearch::Order::kNewest;
  search.highest_rank = page.highest_rank();
  search.min_duration_ns = Floor(needs.least_latency_ns);
  search.max_duration_ns = Ceiling(needs.most_latency_ns);
  search.only_errors = needs.is_error;
  search.only_slow = needs.is_slow;
  search.endpoints = std::move(needs.endpoints);
  search.status_codes = std::move(needs.codes);
  search.attributes = std::move(needs.attributes);
  if (needs.asks_ends) {
    search.ends = [&filter, &flows](const storage::SpanEnds& ends) {
      return MayMatch(filter, flows, ends);
    };
  }
  return search;
}

}  // namespace kindling::controller
