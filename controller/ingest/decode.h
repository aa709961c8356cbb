#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/status/statusor.h"
#include "model/records.h"

namespace kindling::v1 {
class Batch;
}

namespace kindling::controller {

// Limits of one batch; what exceeds them is refused, for the peer may be hostile.
inline constexpr int kMaxBatchRows = 65536;  // of each class, and of texts and parties
inline constexpr size_t kMaxTextBytes = 16 << 10;
inline constexpr size_t kMaxAddressBytes = 512;
// Texts are copied into each row that refers to them; this bounds the sum of the copies.
inline constexpr size_t kMaxDecodedTextBytes = 64 << 20;
inline constexpr uint32_t kMaxAttributes = 128;    // of a span
inline constexpr uint32_t kMaxLabels = 64;         // of a metric series
inline constexpr size_t kMaxChunkBytes = 1 << 20;  // of a chunk or content
// Counts, sizes and durations stay below this, so that sums cannot overflow.
inline constexpr uint64_t kMaxNumber = uint64_t{1} << 53;
inline constexpr double kMaxValue = 1e200;  // of a metric, either way

// The records of a batch as an agent sent it. Times must lie between the epoch and `latest_ns`. The
// agent's id, tenant and cluster are left empty: they are the stream's.
//
// Failure: INVALID_ARGUMENT saying which column is wrong.
absl::StatusOr<model::Batch> DecodeBatch(const v1::Batch& batch, int64_t latest_ns);

}  // namespace kindling::controller
