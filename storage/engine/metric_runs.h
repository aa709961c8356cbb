#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <vector>

#include "model/records.h"
#include "storage/blocks/metric_block.h"

namespace kindling::storage {

// The points of a batch as runs of one window each, those that `want` says (series, time).
std::vector<MetricRun> RunsOf(const model::Batch& batch,
                              const std::function<bool(uint32_t series, int64_t time_ns)>& want);

// Runs cut at the boundaries of buckets of `bucket_ns`, by the start of the bucket.
std::map<int64_t, std::vector<MetricRun>> ByBucket(std::vector<MetricRun> runs, int64_t bucket_ns);

}  // namespace kindling::storage
