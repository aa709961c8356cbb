#pragma once

#include <string>
#include <string_view>

#include "model/records.h"
#include "storage/span_search.h"

// The filter value of a block of spans: which attributes and traces it may hold.
namespace kindling::storage {

class AttributesWriter;
struct SpanRows;
class ZstdDictionaries;

std::string EncodeSpanFilter(const SpanRows& rows, const AttributesWriter& attributes,
                             const ZstdDictionaries& dictionaries);

// False when the filter says that the block holds none of the rows that `search` looks for by value
// (attributes). An unreadable filter says nothing: true.
bool SpanFilterMayMatch(std::string_view filter, const SpanSearch& search);

// False when the filter says that no row is of the trace. An unreadable filter says nothing: true.
bool SpanFilterMayHoldTrace(std::string_view filter, const model::TraceId& id);

}  // namespace kindling::storage
