#pragma once

#include <cstddef>
#include <vector>

#include "agent/export/spool_segment.h"
#include "model/records.h"

namespace kindling::agent {

// About how large a batch is in memory and, at most, encoded.
size_t ApproximateBytes(const model::Batch& batch);

// One lane's part of a batch, cut so that each piece has about `max_bytes` or is a single record.
// Empty when the lane has no records in it.
std::vector<model::Batch> TakeLane(model::Batch& batch, SpoolLane lane, size_t max_bytes);

// Requests that the batch's aggregates stand for.
uint64_t RequestsOf(const model::Batch& batch);

}  // namespace kindling::agent
