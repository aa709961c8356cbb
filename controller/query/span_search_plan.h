#pragma once

#include "controller/query/flow_cache.h"
#include "controller/query/query_context.h"
#include "controller/query/span_page.h"
#include "model/filter.h"
#include "storage/span_search.h"

namespace kindling::controller {

// What the store is asked for so that every span of the page that `filter` matches is given. More
// may be.
//
// Lifetime: all but `page` must outlive what is returned.
storage::SpanSearch PlanSearch(const QueryContext& context, const model::Filter& filter,
                               const NamedFlows& flows, const Range& range, const SpanPage& page);

}  // namespace kindling::controller
