#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "model/records.h"
#include "storage/blocks/span_units.h"
#include "storage/blocks/zstd_dictionaries.h"
#include "storage/span_search.h"

namespace kindling::storage {

class AttributesWriter;
struct SpanRows;

std::string EncodeSpanFilter(const SpanRows& rows, const AttributesWriter& attributes,
                             const ZstdDictionaries& dictionaries);

// The units that may hold rows with all attributes of the search. A filter that cannot be read
// rules nothing out.
SpanUnits SpanFilterMatchingUnits(std::string_view filter, const SpanSearch& search);
// Those of the units that may hold spans of a trace. As above.
SpanUnits SpanFilterTraceUnits(std::string_view filter, const model::TraceId& id, SpanUnits among);
// Those of the units that may hold children of any of these. As above.
SpanUnits SpanFilterChildUnits(std::string_view filter, const std::vector<model::SpanId>& parents,
                               SpanUnits among);

}  // namespace kindling::storage
