#include "controller/query/span_search_plan.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <memory>
#include <string>

#include "controller/query/span_queries.h"
#include "model/record_fields.h"

namespace kindling::controller {
namespace {

constexpr size_t kMaxRemembered = 200'000;

// Tells whether spans between two ends may match a filter, whatever else they are.
//
// Threads: one at a time.
// Limits:  remembers kMaxRemembered answers.
class EndsFilter {
 public:
  EndsFilter(const model::Filter& filter, const LoadedEdges& loaded, const Range& range)
      : filter_(filter), loaded_(loaded), range_(range) {}

  bool MayMatch(const storage::SpanEnds& ends, int64_t time_ns) {
    const auto known = remembered_.find(ends);
    if (known != remembered_.end()) return known->second;
    const bool may_match = Ask(ends, time_ns);
    if (remembered_.size() < kMaxRemembered) remembered_.emplace(ends, may_match);
    return may_match;
  }

 private:
  // Whether its name is the same at any time of the range, so that an answer for one is one for
  // all.
  bool IsSteady(const model::Party& party) {
    if (!party.workload.empty()) return true;
    const auto [entry, is_new] = steady_.try_emplace(party.address, false);
    if (is_new) {
      entry->second = loaded_.addresses->IsSteady(party.address, range_.start_ns, range_.end_ns);
    }
    return entry->second;
  }

  bool Ask(const storage::SpanEnds& ends, int64_t time_ns) {
    model::Span span;
    span.side = ends.side;
    span.protocol = ends.protocol;
    span.transport = ends.transport;
    span.client = ends.client;
    span.server = ends.server;
    span.start_ns = time_ns;
    const EdgeGroups::Ends named = NameEnds(*loaded_.groups, span);
    const model::EndNames names{.client = named.client.name,
                                .server = named.server.name,
                                .client_host = named.client.host,
                                .server_host = named.server.host};
    // The client of a server's span is told by who was seen calling that server from there.
    const bool is_steady = IsSteady(ends.client) && IsSteady(ends.server);
    return filter_.MayMatch(model::SpanFields(span, names), [&](model::FilterField field) {
      switch (field) {
        case model::FilterField::kService:
        case model::FilterField::kClient:
        case model::FilterField::kServer:
        case model::FilterField::kHost:
          return is_steady;
        case model::FilterField::kAddress:
        case model::FilterField::kProtocol:
        case model::FilterField::kTransport:
        case model::FilterField::kSide:
          return true;
        default:
          return false;
      }
    });
  }

  const model::Filter& filter_;
  const LoadedEdges& loaded_;
  const Range range_;
  std::map<storage::SpanEnds, bool> remembered_;
  std::map<std::string, bool> steady_;  // by address
};

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
                               const LoadedEdges& loaded, const Range& range,
                               const SpanPage& page) {
  model::FilterNeeds needs = filter.Needs();
  storage::SpanSearch search;
  search.tenant = context.caller.tenant;
  search.cluster = context.caller.cluster;
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
    search.ends = [ends_filter = std::make_shared<EndsFilter>(filter, loaded, range)](
                      const storage::SpanEnds& ends, int64_t time_ns) {
      return ends_filter->MayMatch(ends, time_ns);
    };
  }
  return search;
}

}  // namespace kindling::controller
