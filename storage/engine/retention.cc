#include "storage/engine/retention.h"

#include <algorithm>
#include <tuple>

namespace kindling::storage {

std::vector<BucketId> BucketsBefore(const View& view, Tier tier, int64_t before_ns) {
  std::vector<BucketId> out;
  for (const auto& bucket : view.buckets) {
    if (bucket->id.tier == tier && bucket->id.end_ns() <= before_ns) out.push_back(bucket->id);
  }
  return out;
}

std::optional<BucketId> OldestBucket(const View& view) {
  if (view.buckets.size() < 2) return std::nullopt;
  const auto order = [](const BucketId& id) {
    const bool rolled_up = id.tier == Tier::kSeries1m || id.tier == Tier::kSeries1h;
    return std::tuple(rolled_up, id.end_ns(), id.part, id.tier);
  };
  std::optional<BucketId> oldest;
  for (const auto& bucket : view.buckets) {
    if (!oldest || order(bucket->id) < order(*oldest)) oldest = bucket->id;
  }
  return oldest;
}

bool IsLastPart(const View& view, const BucketId& id) {
  return std::none_of(view.buckets.begin(), view.buckets.end(), [&](const auto& other) {
    return other->id.tier == id.tier && other->id != id &&
           other->id.Overlaps(id.start_ns, id.end_ns());
  });
}

int64_t EffectiveBucketNs(int64_t bucket_ns, int64_t max_age_ns) {
  constexpr int64_t kMultiples[] = {1, 2, 3, 4, 6, 8, 12, 24, 48, 168, 336, 720};
  for (const int64_t multiple : kMultiples) {
    if (bucket_ns > INT64_MAX / multiple) return bucket_ns;
    if (max_age_ns / (bucket_ns * multiple) < kMaxBuckets) return bucket_ns * multiple;
  }
  return std::max(bucket_ns, max_age_ns / kMaxBuckets);
}

}  // namespace kindling::storage
