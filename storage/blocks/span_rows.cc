#include "storage/blocks/span_rows.h"

#include <algorithm>
#include <numeric>
#include <tuple>

#include "absl/container/flat_hash_map.h"
#include "absl/hash/hash.h"
#include "base/hash.h"

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

using ConnectionKey = std::tuple<uint32_t, uint16_t, uint32_t>;  // ends, port, pid

}  // namespace

std::vector<const SpanEnds*> SpanRows::ends_pointers() const {
  std::vector<const SpanEnds*> pointers;
  pointers.reserve(ends.size());
  for (const SpanEnds& e : ends) pointers.push_back(&e);
  return pointers;
}

SpanRows OrderSpans(const std::vector<const model::Span*>& spans) {
  SpanRows out;
  const size_t count = spans.size();
  // Numbers in order of appearance first.
  absl::flat_hash_map<EndsKey, uint32_t> ends_numbers;
  absl::flat_hash_map<ConnectionKey, uint32_t> connection_numbers;
  std::vector<uint32_t> connection_of_span(count);
  // The connection that spans like this were last of: the texts are then compared, not hashed.
  struct Recent {
    const model::Span* span = nullptr;
    uint32_t connection = 0;
  };
  std::vector<Recent> recent(kRecent);
  for (size_t i = 0; i < count; ++i) {
    const model::Span& span = *spans[i];
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
                                         static_cast<uint32_t>(out.connections.size()));
      if (added) {
        out.connections.push_back({.ends = ends->second,
                                   .port = span.client_port,
                                   .pid = span.pid,
                                   .first_ns = span.start_ns,
                                   .rows = 0});
      }
      number = it->second;
      like = {&span, number};
    }
    SpanRows::Connection& connection = out.connections[number];
    connection.first_ns = std::min(connection.first_ns, span.start_ns);
    ++connection.rows;
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
  for (SpanRows::Connection& connection : out.connections) {
    connection.ends = ends_places[connection.ends];
  }
  std::vector<uint32_t> order(out.connections.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) {
    const SpanRows::Connection& x = out.connections[a];
    const SpanRows::Connection& y = out.connections[b];
    return std::tie(x.ends, x.first_ns, x.port, x.pid) <
           std::tie(y.ends, y.first_ns, y.port, y.pid);
  });
  std::vector<uint32_t> places(order.size());
  std::vector<SpanRows::Connection> sorted_connections;
  for (const uint32_t number : order) {
    places[number] = static_cast<uint32_t>(sorted_connections.size());
    sorted_connections.push_back(out.connections[number]);
  }
  out.connections = std::move(sorted_connections);

  struct Row {
    uint32_t connection;
    int64_t start_ns;
    uint32_t span;
  };
  std::vector<Row> rows(count);
  for (uint32_t i = 0; i < count; ++i) {
    rows[i] = {places[connection_of_span[i]], spans[i]->start_ns, i};
  }
  std::sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) {
    return std::tie(a.connection, a.start_ns, a.span) < std::tie(b.connection, b.start_ns, b.span);
  });
  out.spans = spans;
  out.row_of_span.resize(count);
  out.span_of_row.reserve(count);
  out.connection_of_row.reserve(count);
  out.ends_of_row.reserve(count);
  for (uint32_t row = 0; row < count; ++row) {
    out.row_of_span[rows[row].span] = row;
    out.span_of_row.push_back(rows[row].span);
    out.connection_of_row.push_back(rows[row].connection);
    out.ends_of_row.push_back(out.connections[rows[row].connection].ends);
  }
  return out;
}

}  // namespace kindling::storage
