#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/records.h"

namespace kindling::storage {

// Who called whom in spans of one kind: what a block holds once for many rows.
struct SpanEnds {
  model::Side side = model::Side::kUnknown;
  model::Protocol protocol = model::Protocol::kUnknown;
  model::Transport transport = model::Transport::kUnknown;
  model::Party client;
  model::Party server;
  auto operator<=>(const SpanEnds&) const = default;

  template <typename H>
  friend H AbslHashValue(H h, const SpanEnds& ends) {
    return H::combine(std::move(h), ends.side, ends.protocol, ends.transport, ends.client,
                      ends.server);
  }
};

// Asked between blocks whether an answer is not wanted any more; null: it always is. Threads: the
// caller's.
using Cancelled = std::function<bool()>;

// Which spans a search wants. Every condition is a necessary one: what it leaves out is not read,
// so the caller checks the rest of its filter on what it is given.
struct SpanSearch {
  enum class Order {
    kNewest,   // by start, the latest first
    kSlowest,  // by duration, the longest first
  };

  std::string tenant;
  std::string cluster;
  int64_t start_ns = 0;  // start_ns <= Span::start_ns < end_ns
  int64_t end_ns = INT64_MAX;
  Order order = Order::kNewest;
  // Rank is the start for kNewest, the duration for kSlowest. Spans above this come on earlier
  // pages.
  int64_t highest_rank = INT64_MAX;

  int64_t min_duration_ns = INT64_MIN;
  int64_t max_duration_ns = INT64_MAX;
  bool only_errors = false;
  bool only_slow = false;
  std::vector<std::string> endpoints;     // any of these; empty: any
  std::vector<std::string> status_codes;  // any of these; empty: any
  // All of these, name and value.
  std::vector<std::pair<std::string, std::string>> attributes;
  // Asked about each kind of ends; the answer holds for all of the search, and is asked for again
  // only where that is cheaper than to remember it. Null: all. Threads: the caller's.
  std::function<bool(const SpanEnds& ends)> ends;
  Cancelled cancelled;
};

int64_t RankOf(const model::Span& span, SpanSearch::Order order);

// What a visitor says after a span: ranks below this are of no use any more. INT64_MAX: stop.
using SpanVisitor = std::function<int64_t(const model::Span&)>;

}  // namespace kindling::storage
