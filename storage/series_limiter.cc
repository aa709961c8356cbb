#include "storage/series_limiter.h"

#include <utility>

#include "absl/hash/hash.h"

namespace kindling::storage {
namespace {

constexpr std::string_view kOverflowLabel = "overflow";
constexpr std::string_view kOverflowValue = "true";

uint64_t HashOf(const model::Party& party) {
  return absl::HashOf(party.workload, party.workload_kind, party.host, party.address, party.port,
                      party.dns_name);
}

// Without endpoint and status.
uint64_t FoldedHashOf(const model::EdgeStats& row) {
  return absl::HashOf(row.observer, HashOf(row.client), HashOf(row.server), row.protocol,
                      row.transport, row.outcome);
}

uint64_t HashOf(const model::EdgeStats& row, uint64_t folded) {
  return absl::HashOf(folded, row.endpoint, row.status_code);
}

bool IsFolded(const model::EdgeStats& row) {
  return row.endpoint == model::kOtherName && row.status_code == model::kOtherName;
}

bool IsOther(const model::Party& party) {
  return party == model::Party{.workload = std::string(model::kOtherName)};
}

bool IsOverflow(const model::MetricSeries& series) {
  return series.labels.size() == 1 && series.labels[0].first == kOverflowLabel &&
         series.labels[0].second == kOverflowValue;
}

}  // namespace

SeriesLimiter::Fold SeriesLimiter::FoldOf(const SeriesScope& scope, const model::EdgeStats& row,
                                          uint64_t rows) {
  Bucket& bucket = Find(scope);
  const uint64_t folded = FoldedHashOf(row);
  const bool was_folded = IsFolded(row);
  if (!was_folded && Admit(bucket.edges, HashOf(row, folded), limits_.edge_series)) {
    return Fold::kNone;
  }
  if (Admit(bucket.folded_edges, folded, limits_.folded_edge_series)) {
    if (was_folded) return Fold::kNone;
    folded_edge_rows_ += rows;
    return Fold::kEndpoint;
  }
  if (was_folded && IsOther(row.client) && IsOther(row.server)) return Fold::kNone;
  if (!IsOther(row.client) || !IsOther(row.server)) folded_edge_rows_ += rows;
  return Fold::kParties;
}

void SeriesLimiter::Apply(Fold fold, model::EdgeStats& row) {
  if (fold == Fold::kNone) return;
  row.endpoint = row.status_code = model::kOtherName;
  if (fold == Fold::kParties)
    row.client = row.server = {.workload = std::string(model::kOtherName)};
}

bool SeriesLimiter::Limit(const SeriesScope& scope, model::EdgeStats& row) {
  const uint64_t before = folded_edge_rows_;
  Apply(FoldOf(scope, row, 1), row);
  return folded_edge_rows_ != before;
}

bool SeriesLimiter::Limit(const SeriesScope& scope, model::MetricSeries& series) {
  Bucket& bucket = Find(scope);
  const uint64_t name = absl::HashOf(series.name);
  const bool overflow = IsOverflow(series);
  if (overflow && series.name == model::kOtherName) return false;
  const bool room = bucket.metrics.size() < limits_.metric_names && series_ < limits_.all_series;
  if (room || bucket.metrics.contains(name)) {
    Hashes& hashes = FindMetric(bucket, name);
    if (overflow ||
        Admit(hashes, absl::HashOf(series.kind, series.labels), limits_.series_per_metric)) {
      return false;
    }
  } else {
    series.name = model::kOtherName;
  }
  series.labels.assign(1, {std::string(kOverflowLabel), std::string(kOverflowValue)});
  ++folded_metric_series_;
  return true;
}

void SeriesLimiter::Seed(const SeriesScope& scope, const model::EdgeStats& row) {
  Bucket& bucket = Find(scope);
  const uint64_t folded = FoldedHashOf(row);
  if (!IsFolded(row)) {
    Insert(bucket.edges, HashOf(row, folded));
  } else if (!IsOther(row.client) || !IsOther(row.server)) {
    Insert(bucket.folded_edges, folded);
  }
}

void SeriesLimiter::Seed(const SeriesScope& scope, const model::MetricSeries& series) {
  Bucket& bucket = Find(scope);
  if (series.name == model::kOtherName && IsOverflow(series)) return;
  Hashes& hashes = FindMetric(bucket, absl::HashOf(series.name));
  if (!IsOverflow(series)) Insert(hashes, absl::HashOf(series.kind, series.labels));
}

bool SeriesLimiter::Knows(const SeriesScope& scope) const {
  return buckets_.contains(
      BucketKey(scope.bucket_ns, std::string(scope.tenant), std::string(scope.cluster)));
}

void SeriesLimiter::Forget(int64_t bucket_ns) {
  while (!buckets_.empty() && std::get<0>(buckets_.begin()->first) < bucket_ns) {
    const Bucket& bucket = buckets_.begin()->second;
    series_ -= bucket.edges.size() + bucket.folded_edges.size();
    for (const auto& [name, hashes] : bucket.metrics) series_ -= 1 + hashes.size();
    buckets_.erase(buckets_.begin());
  }
}

size_t SeriesLimiter::memory_bytes() const {
  // A hash and a control byte for each place.
  constexpr size_t kPlace = sizeof(uint64_t) + 1;
  size_t bytes = 0;
  for (const auto& [key, bucket] : buckets_) {
    bytes += sizeof(key) + sizeof(bucket) + std::get<1>(key).size() + std::get<2>(key).size() +
             (bucket.edges.capacity() + bucket.folded_edges.capacity()) * kPlace +
             bucket.metrics.capacity() * (sizeof(uint64_t) + sizeof(Hashes) + 1);
    for (const auto& [name, hashes] : bucket.metrics) bytes += hashes.capacity() * kPlace;
  }
  return bytes;
}

SeriesLimiter::Bucket& SeriesLimiter::Find(const SeriesScope& scope) {
  return buckets_[BucketKey(scope.bucket_ns, std::string(scope.tenant),
                            std::string(scope.cluster))];
}

SeriesLimiter::Hashes& SeriesLimiter::FindMetric(Bucket& bucket, uint64_t name) {
  const auto [it, added] = bucket.metrics.try_emplace(name);
  series_ += added;
  return it->second;
}

bool SeriesLimiter::Admit(Hashes& hashes, uint64_t hash, size_t limit) {
  if (hashes.contains(hash)) return true;
  if (hashes.size() >= limit || series_ >= limits_.all_series) return false;
  Insert(hashes, hash);
  return true;
}

void SeriesLimiter::Insert(Hashes& hashes, uint64_t hash) { series_ += hashes.insert(hash).second; }

}  // namespace kindling::storage
