#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <tuple>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "model/records.h"

namespace kindling::storage {

struct SeriesLimits {
  // Of one tenant, cluster and bucket.
  size_t edge_series = 100'000;
  size_t folded_edge_series = 20'000;  // those that only lack endpoint and status
  size_t metric_names = 2'000;
  size_t series_per_metric = 10'000;
  // Of all of them together, a metric's name counting as one more: eight bytes each, and what a
  // hash table leaves free.
  size_t all_series = 4'000'000;
};

// Where series are counted apart.
struct SeriesScope {
  std::string_view tenant;
  std::string_view cluster;
  int64_t bucket_ns = 0;  // start
};

// Caps the number of different series. What comes beyond goes to an overflow series, so that
// nothing is lost but its name:
//  - an edge row to endpoint and status "(other)" of the same parties and, when these are too many
//    as well, to parties with workload "(other)" and nothing else; observer, protocol, transport
//    and outcome stay;
//  - a metric's series to the same name with the one label overflow="true"; beyond metric_names
//  also
//    the name is "(other)".
// Which series come first decides, so the same rows in the same order give the same result.
//
// Threads: not safe; under the caller's lock.
// Limits:  holds hashes of series only. Two series with one hash count as one.
class SeriesLimiter {
 public:
  explicit SeriesLimiter(const SeriesLimits& limits) : limits_(limits) {}

  // Return true when the row or series was put to an overflow series.
  bool Limit(const SeriesScope& scope, model::EdgeStats& row);
  bool Limit(const SeriesScope& scope, model::MetricSeries& series);

  // What becomes of a series of edge rows, of which there are `rows`.
  enum class Fold { kNone, kEndpoint, kParties };
  Fold FoldOf(const SeriesScope& scope, const model::EdgeStats& row, uint64_t rows);
  // Puts a row to the overflow series.
  static void Apply(Fold fold, model::EdgeStats& row);

  // A series that the bucket already holds: it stays as it is, whatever the limits.
  void Seed(const SeriesScope& scope, const model::EdgeStats& row);
  void Seed(const SeriesScope& scope, const model::MetricSeries& series);
  // True once anything was limited or seeded there; false after Forget.
  bool Knows(const SeriesScope& scope) const;

  // Gives up what is known of buckets that start before this, of all tenants: new series there
  // count from zero again, unless seeded.
  void Forget(int64_t bucket_ns);

  uint64_t folded_edge_rows() const { return folded_edge_rows_; }
  uint64_t folded_metric_series() const { return folded_metric_series_; }
  // Series and names of metrics that are held.
  size_t series() const { return series_; }
  size_t memory_bytes() const;

 private:
  using Hashes = absl::flat_hash_set<uint64_t>;
  struct Bucket {
    Hashes edges;
    Hashes folded_edges;
    absl::flat_hash_map<uint64_t, Hashes> metrics;  // by hash of the name
  };

  using BucketKey = std::tuple<int64_t, std::string, std::string>;  // start, tenant, cluster
  Bucket& Find(const SeriesScope& scope);
  Hashes& FindMetric(Bucket& bucket, uint64_t name);
  // True when it is there already or there is room for it.
  bool Admit(Hashes& hashes, uint64_t hash, size_t limit);
  void Insert(Hashes& hashes, uint64_t hash);

  const SeriesLimits limits_;
  std::map<BucketKey, Bucket> buckets_;
  size_t series_ = 0;
  uint64_t folded_edge_rows_ = 0;
  uint64_t folded_metric_series_ = 0;
};

}  // namespace kindling::storage
