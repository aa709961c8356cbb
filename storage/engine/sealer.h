#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "model/records.h"
#include "storage/blocks/edge_series.h"
#include "storage/blocks/metric_block.h"
#include "storage/blocks/sealed_block.h"
#include "storage/blocks/zstd_dictionaries.h"
#include "storage/engine/bucket_id.h"
#include "storage/engine/chunk_values.h"
#include "storage/engine/view.h"
#include "storage/keys.h"
#include "storage/series_limiter.h"

// Batches to blocks. Pure: no database, no clock.
namespace kindling::storage {

// What is to be written into one bucket.
struct BucketWrite {
  std::vector<KeyValue> values;
  std::vector<std::shared_ptr<const Block>> blocks;  // whose values are among those above
};

// By tier and start of the bucket.
using BucketWrites = std::map<std::pair<Tier, int64_t>, BucketWrite>;

// Which series are let in; Seed is asked for once per space and bucket, with what is stored there.
class SeriesGate {
 public:
  using Seed = std::function<void(const Space& space, int64_t bucket_ns, SeriesLimiter& limiter)>;
  SeriesGate(SeriesLimiter& limiter, Seed seed) : limiter_(limiter), seed_(std::move(seed)) {}

  // Asks once for each series of `rows`, in the order in which these came; true if any is folded.
  bool Folds(const Space& space, int64_t bucket_ns, const EdgeSeries& series,
             const std::vector<uint64_t>& rows, std::vector<SeriesLimiter::Fold>& folds);
  void Limit(const Space& space, int64_t bucket_ns, std::vector<MetricRun>& runs);

 private:
  SeriesScope ScopeOf(const Space& space, int64_t bucket_ns);

  SeriesLimiter& limiter_;
  const Seed seed_;
};

struct SealOptions {
  std::array<int64_t, kTierCount> bucket_ns{};
};

// Encodes blocks and keys for them.
class BlockWriter {
 public:
  // Block numbers are taken from `next_number`.
  BlockWriter(const ZstdDictionaries& dictionaries, std::atomic<uint64_t>& next_number)
      : dictionaries_(dictionaries), next_number_(next_number) {}

  // Rows in any order and any number; full blocks are made of them. Rows must be of one bucket.
  void AddSpans(const Space& space, std::vector<const model::Span*> rows, BucketWrite& out);
  // `block_class` is kEdges or kFlows.
  void AddEdges(const Space& space, BlockClass block_class,
                const std::vector<model::EdgeStats>& rows, BucketWrite& out);
  // Those of series that are named already, in order and joined.
  void AddEdges(const Space& space, BlockClass block_class, const EdgeSeries& series,
                std::span<const EdgeRow> rows, BucketWrite& out);
  void AddMetrics(const Space& space, std::vector<MetricRun> runs, BucketWrite& out);
  void AddProcesses(const Space& space, std::vector<model::ProcessEvent> rows, BucketWrite& out);
  void AddLosses(const Space& space, std::vector<model::Loss> rows, BucketWrite& out);

 private:
  void AddSpanBlock(const Space& space, const std::vector<const model::Span*>& rows,
                    BucketWrite& out);
  uint64_t Add(const Space& space, BlockClass block_class, SealedBlock block, BucketWrite& out);
  template <typename Row>
  void AddRows(const Space& space, BlockClass block_class, const std::vector<Row>& rows,
               BucketWrite& out);

  const ZstdDictionaries& dictionaries_;
  std::atomic<uint64_t>& next_number_;
};

// Blocks, roll-ups, chunks and index rows of `batches`. Records that `view` does not keep are left
// out and counted in `refused`.
BucketWrites Seal(const std::vector<UnsealedBatch>& batches, const View& view,
                  const SealOptions& options, SeriesGate& gate, BlockWriter& writer,
                  std::atomic<uint64_t>& next_number, uint64_t& refused);

// Hash under which an alias is looked for.
uint64_t AliasHash(const model::TraceId& alias);

}  // namespace kindling::storage
