#pragma once

#include <memory>

#include "storage/span_search.h"

namespace kindling::storage {

// One copy of equal ends for all that hold them: thousands of summaries name the same few. Ends
// that nobody holds are forgotten.
//
// Threads: safe from any.
std::shared_ptr<const SpanEnds> SharedEnds(SpanEnds ends);

}  // namespace kindling::storage
