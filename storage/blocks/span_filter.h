#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "model/records.h"
#include "storage/blocks/zstd_dictionaries.h"
#include "storage/span_search.h"

namespace kindling::storage {

class AttributesWriter;
struct SpanRows;

// Which units of a block.
class SpanUnits {
 public:
  static SpanUnits All() { return SpanUnits(UINT64_MAX); }
  static SpanUnits None() { return SpanUnits(0); }

  void Add(size_t unit) { bits_ |= uint64_t{1} << unit; }
  void Add(SpanUnits others) { bits_ |= others.bits_; }
  // REQUIRES: unit < 64.
  bool Has(size_t unit) const { return (bits_ >> unit & 1) != 0; }
  bool empty() const { return bits_ == 0; }

 private:
  explicit SpanUnits(uint64_t bits) : bits_(bits) {}
  uint64_t bits_;
};

std::string EncodeSpanFilter(const SpanRows& rows, const AttributesWriter& attributes,
                             const ZstdDictionaries& dictionaries);

// False when no row of the block can have all attributes of the search. A filter that cannot be
// read rules nothing out.
bool SpanFilterMayMatch(std::string_view filter, const SpanSearch& search);
// The units that may hold spans of a trace. As above.
SpanUnits SpanFilterTraceUnits(std::string_view filter, const model::TraceId& id);
// The units that may hold children of any of these. As above.
SpanUnits SpanFilterChildUnits(std::string_view filter, const std::vector<model::SpanId>& parents);

}  // namespace kindling::storage
