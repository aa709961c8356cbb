#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/records.h"

namespace kindling::storage {

struct KeyedBlock {
  std::string key;
  std::string value;
};

// The blocks of a batch: one per record class and time bucket. `bucket_ns` divides an hour. Address
// bindings are not among them, they have a table of their own.
std::vector<KeyedBlock> MakeBlocks(const model::Batch& batch, int64_t bucket_ns);

// Start of the bucket that holds `time_ns`.
int64_t BucketOf(int64_t time_ns, int64_t bucket_ns);

// The time that places a record in a bucket and that scans select by.
inline int64_t TimeOf(const model::Span& row) { return row.start_ns; }
inline int64_t TimeOf(const model::EdgeStats& row) { return row.window_start_ns; }
inline int64_t TimeOf(const model::ProcessEvent& row) { return row.time_ns; }
inline int64_t TimeOf(const model::Loss& row) { return row.time_ns; }

}  // namespace kindling::storage
