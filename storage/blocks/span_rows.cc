#include "storage/blocks/span_rows.h"

#include <algorithm>
#include <numeric>
#include <span>
#include <tuple>

#include "absl/container/flat_hash_map.h"
#include "absl/hash/hash.h"
#include "base/hash.h"
#include "storage/blocks/order_by_time.h"
#include "storage/blocks/span_layout.h"

namespace kindling::storage {
namespace {

// The ends of a span, without copying them.
struct EndsKey {
  const model::Span* span;

  friend bool operator==(const EndsKey& a, const EndsKey& b) {
    return a.span->side == b.span->side && a.span->protocol == b.span->protocol &&
           a.span->transport == b.span->transport && a.span->client == b.span->client &&
           a.span->server == b.span->server;
  }
  template <typename H>
  friend H AbslHashValue(H h, const EndsKey& key) {
    // Workload kind and DNS name rarely tell parties apart.
    for (const model::Party* party : {&key.span->client, &key.span->server}) {
      h = H::combine(std::move(h), party->workload, party->host, party->address, party->port);
    }
    return H::combine(std::move(h), key.span->side, key.span->protocol);
  }
};

constexpr size_t kRecent = 4096;
// The slowest rows of a block are a unit of their own: few questions for the slowest of all then
// have more than that to read, which is soon done.
constexpr size_t kSlowestRows = 64;
constexpr size_t kSlowestShare = 64;

using ConnectionKey = std::tuple<uint32_t, uint16_t, uint32_t>;  // ends, port, pid

// Appends the unit of these spans, which are by start. `place_of` has room for each connection.
void AddUnit(std::span<const uint32_t> spans, const std::vector<int64_t>& starts,
             const std::vector<uint32_t>& connection_of_span,
             const std::vector<SpanRows::Connection>& connections, std::vector<uint32_t>& place_of,
             SpanRows& out) {
  constexpr uint32_t kUnseen = UINT32_MAX;
  for (const uint32_t span : spans) place_of[connection_of_span[span]] = kUnseen;
  std::vector<SpanRows::Connection> found;
  std::vector<uint32_t> numbers;  // of those found
  for (const uint32_t span : spans) {
    uint32_t& place = place_of[connection_of_span[span]];
    if (place == kUnseen) {
      place = static_cast<uint32_t>(found.size());
      found.push_back(connections[connection_of_span[span]]);
      found.back().first_ns = starts[span];
      numbers.push_back(connection_of_span[span]);
    }
    found[place].first_ns = std::min(found[place].first_ns, starts[span]);
    ++found[place].rows;
  }
  std::vector<uint32_t> order(found.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) {
    const SpanRows::Connection& x = found[a];
    const SpanRows::Connection& y = found[b];
    return std::tie(x.ends, x.first_ns, x.port, x.pid) <
           std::tie(y.ends, y.first_ns, y.port, y.pid);
  });
  const auto first_row = static_cast<uint32_t>(
      out.units.empty() ? 0 : out.units.back().first_row + out.units.back().rows);
  out.units.push_back({.first_row = first_row,
                       .rows = static_cast<uint32_t>(spans.size()),
                       .first_connection = static_cast<uint32_t>(out.connections.size()),
                       .connections = static_cast<uint32_t>(found.size())});
  std::vector<uint32_t> next_row;  // of each connection
  uint32_t row = first_row;
  for (uint32_t place = 0; place < order.size(); ++place) {
    const SpanRows::Connection& connection = found[order[place]];
    place_of[numbers[order[place]]] = place;
    out.connections.push_back(connection);
    next_row.push_back(row);
    for (uint32_t i = 0; i < connection.rows; ++i, ++row) {
      out.connection_of_row[row] = place;
      out.ends_of_row[row] = connection.ends;
    }
  }
  for (const uint32_t span : spans) {
    out.span_of_row[next_row[place_of[connection_of_span[span]]]++] = span;
  }
  // The order by start is not exact where it spans a long time.
  row = first_row;
  for (const uint32_t place : order) {
    const auto begin = out.span_of_row.begin() + row;
    row += found[place].rows;
    const auto earlier = [&](uint32_t a, uint32_t b) { return starts[a] < starts[b]; };
    const auto end = out.span_of_row.begin() + row;
    if (!std::is_sorted(begin, end, earlier)) std::stable_sort(begin, end, earlier);
  }
  for (row = first_row; row < first_row + spans.size(); ++row) {
    out.row_of_span[out.span_of_row[row]] = row;
  }
}

// Takes the slowest spans out of all, which are by start as they then are.
std::vector<uint32_t> TakeSlowest(const std::vector<const model::Span*>& spans,
                                  std::vector<uint32_t>& by_start) {
  const size_t most = std::min(kSlowestRows, by_start.size() / kSlowestShare);
  if (most == 0) return {};
  std::vector<uint32_t> slowest = by_start;
  const auto duration = [&](uint32_t i) {
    const model::Span& span = *spans[i];
    return WrappedSum(WrappedSum(span.request_duration_ns, span.wait_duration_ns),
                      span.response_duration_ns);
  };
  const auto is_slower = [&](uint32_t a, uint32_t b) {
    const int64_t of_a = duration(a);
    const int64_t of_b = duration(b);
    return of_a != of_b ? of_a > of_b : a < b;
  };
  std::nth_element(slowest.begin(), slowest.begin() + static_cast<ptrdiff_t>(most - 1),
                   slowest.end(), is_slower);
  std::vector<bool> is_taken(spans.size());
  for (size_t i = 0; i < most; ++i) is_taken[slowest[i]] = true;
  slowest.clear();
  for (const uint32_t span : by_start) {
    if (is_taken[span]) slowest.push_back(span);
  }
  std::erase_if(by_start, [&](uint32_t span) { return is_taken[span]; });
  return slowest;
}

}  // namespace

std::vector<const SpanEnds*> SpanRows::ends_pointers() const {
  std::vector<const SpanEnds*> pointers;
  pointers.reserve(ends.size());
  for (const SpanEnds& e : ends) pointers.push_back(&e);
  return pointers;
}

SpanRows OrderSpans(const std::vector<const model::Span*>& spans, size_t unit_rows) {
  SpanRows out;
  const size_t count = spans.size();
  // Numbers in order of appearance first.
  absl::flat_hash_map<EndsKey, uint32_t> ends_numbers;
  absl::flat_hash_map<ConnectionKey, uint32_t> connection_numbers;
  std::vector<SpanRows::Connection> connections;
  std::vector<uint32_t> connection_of_span(count);
  std::vector<int64_t> starts(count);
  // The connection that spans like this were last of: the texts are then compared, not hashed.
  struct Recent {
    const model::Span* span = nullptr;
    uint32_t connection = 0;
  };
  std::vector<Recent> recent(kRecent);
  for (size_t i = 0; i < count; ++i) {
    const model::Span& span = *spans[i];
    starts[i] = span.start_ns;
    Recent& like = recent[(span.pid * 31 + span.client_port * 7 + span.server.port) % kRecent];
    uint32_t number = like.connection;
    if (like.span == nullptr || like.span->client_port != span.client_port ||
        like.span->pid != span.pid || !(EndsKey{like.span} == EndsKey{&span})) {
      const auto [ends, is_new] =
          ends_numbers.try_emplace(EndsKey{&span}, static_cast<uint32_t>(out.ends.size()));
      if (is_new) {
        out.ends.push_back({.side = span.side,
                            .protocol = span.protocol,
                            .transport = span.transport,
                            .client = span.client,
                            .server = span.server});
      }
      const auto [it, added] =
          connection_numbers.try_emplace(ConnectionKey(ends->second, span.client_port, span.pid),
                                         static_cast<uint32_t>(connections.size()));
      if (added) {
        connections.push_back({.ends = ends->second, .port = span.client_port, .pid = span.pid});
      }
      number = it->second;
      like = {&span, number};
    }
    connection_of_span[i] = number;
  }

  // Then numbers in the block's order.
  std::vector<uint32_t> ends_order(out.ends.size());
  std::iota(ends_order.begin(), ends_order.end(), 0);
  std::sort(ends_order.begin(), ends_order.end(),
            [&](uint32_t a, uint32_t b) { return out.ends[a] < out.ends[b]; });
  std::vector<uint32_t> ends_places(out.ends.size());
  std::vector<SpanEnds> sorted_ends;
  for (const uint32_t number : ends_order) {
    ends_places[number] = static_cast<uint32_t>(sorted_ends.size());
    sorted_ends.push_back(std::move(out.ends[number]));
  }
  out.ends = std::move(sorted_ends);
  for (SpanRows::Connection& connection : connections) {
    connection.ends = ends_places[connection.ends];
  }

  out.spans = spans;
  out.row_of_span.resize(count);
  out.span_of_row.resize(count);
  out.connection_of_row.resize(count);
  out.ends_of_row.resize(count);
  std::vector<uint32_t> by_start = OrderByTime(starts);
  const size_t units =
      std::clamp<size_t>((count + unit_rows / 2) / unit_rows, 1, kMaxSpanUnits - 1);
  const std::vector<uint32_t> slowest =
      units == 1 ? std::vector<uint32_t>() : TakeSlowest(spans, by_start);
  std::vector<uint32_t> place_of(connections.size());  // within the unit at hand
  const auto add_unit = [&](std::span<const uint32_t> unit) {
    AddUnit(unit, starts, connection_of_span, connections, place_of, out);
  };
  const size_t rest = by_start.size();
  for (size_t unit = 0; unit < units; ++unit) {
    const size_t first = rest * unit / units;
    add_unit(std::span(by_start).subspan(first, rest * (unit + 1) / units - first));
  }
  if (!slowest.empty()) add_unit(slowest);
  return out;
}

}  // namespace kindling::storage
