#pragma once

#include <cstdint>
#include <vector>

#include "model/records.h"
#include "storage/span_search.h"

// Spans in the order of a block: in units by start, within a unit by ends, connection and start.
namespace kindling::storage {

// Lifetime: the spans must outlive this.
struct SpanRows {
  struct Connection {
    uint32_t ends = 0;
    uint16_t port = 0;
    uint32_t pid = 0;
    int64_t first_ns = 0;
    uint32_t rows = 0;
  };
  // Rows and connections of a unit stand together; a connection that goes on is one of each unit.
  struct Unit {
    uint32_t first_row = 0;
    uint32_t rows = 0;
    uint32_t first_connection = 0;
    uint32_t connections = 0;
  };
  std::vector<SpanEnds> ends;
  std::vector<Unit> units;
  std::vector<Connection> connections;
  // As they were given, and the row of each. To look at all of them in this order is much quicker
  // than by row: their memory is mostly in it.
  std::vector<const model::Span*> spans;
  std::vector<uint32_t> row_of_span;
  std::vector<uint32_t> span_of_row;
  std::vector<uint32_t> connection_of_row;  // within its unit
  std::vector<uint32_t> ends_of_row;

  std::vector<const SpanEnds*> ends_pointers() const;
};

// In units of about `unit_rows`.
SpanRows OrderSpans(const std::vector<const model::Span*>& spans, size_t unit_rows);

}  // namespace kindling::storage
