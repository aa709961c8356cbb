#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "storage/engine/bucket_id.h"
#include "storage/engine/view.h"

// Which buckets go. Pure.
namespace kindling::storage {

// Buckets of a tier that are wholly before `before_ns`.
std::vector<BucketId> BucketsBefore(const View& view, Tier tier, int64_t before_ns);

// The bucket that goes first when the store is too large: the oldest one of records as they came,
// when there are none the oldest of the roll-ups. Nothing when only one is left.
std::optional<BucketId> OldestBucket(const View& view);

// True when no other part of the bucket's time is left.
bool IsLastPart(const View& view, const BucketId& id);

// A length of buckets, a multiple of `bucket_ns`, of which not more than kMaxBuckets cover
// `max_age_ns`: RocksDB keeps something in memory for each of them.
inline constexpr int64_t kMaxBuckets = 64;
int64_t EffectiveBucketNs(int64_t bucket_ns, int64_t max_age_ns);

}  // namespace kindling::storage
