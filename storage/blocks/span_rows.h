#pragma once

#include <cstdint>
#include <vector>

#include "model/records.h"
#include "storage/span_search.h"

// Spans in the order of a block: by ends, connection and start.
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
  std::vector<SpanEnds> ends;
  std::vector<Connection> connections;
  std::vector<const model::Span*> rows;
  std::vector<uint32_t> connection_of_row;

  uint32_t ends_of_row(size_t row) const { return connections[connection_of_row[row]].ends; }
  std::vector<const SpanEnds*> ends_pointers() const;
};

SpanRows OrderSpans(const std::vector<model::Span>& spans);

}  // namespace kindling::storage
