#include "storage/engine/inspect.h"

#include <rocksdb/cache.h>
#include <rocksdb/statistics.h>
#include <rocksdb/write_buffer_manager.h>

#include <algorithm>
#include <string>

#include "storage/engine/engine.h"
#include "storage/engine/room.h"

namespace kindling::storage {
namespace {

BucketStatus StatusOf(const Bucket& bucket) {
  return {.record_class = std::string(Name(bucket.id.tier)),
          .start_ns = bucket.id.start_ns,
          .end_ns = bucket.id.end_ns(),
          .part = bucket.id.part,
          .blocks = bucket.blocks.size(),
          .rows = bucket.rows,
          .bytes = bucket.bytes + bucket.dead_bytes};
}

void AddContents(const View& view, StoreStatus& out) {
  out.oldest_ns = OldestRecord(view);
  out.unsealed_batches = view.unsealed.size();
  for (const UnsealedBatch& unsealed : view.unsealed) {
    out.unsealed_bytes += unsealed.bytes;
    if (out.oldest_unsealed_ns == 0 || unsealed.arrived_ns < out.oldest_unsealed_ns) {
      out.oldest_unsealed_ns = unsealed.arrived_ns;
    }
  }
  for (const auto& bucket : view.buckets) {
    out.buckets.push_back(StatusOf(*bucket));
    for (const auto& block : bucket->blocks) {
      if (block->spans) out.memory_bytes += block->spans->memory_bytes();
    }
  }
  for (const Fault& fault : view.faults) {
    if (!view.IsPast(fault)) out.faults.push_back(fault.what);
  }
}

}  // namespace

int64_t OldestRecord(const View& view) {
  int64_t oldest_ns = INT64_MAX;
  for (const auto& bucket : view.buckets) {
    for (const auto& block : bucket->blocks) oldest_ns = std::min(oldest_ns, block->first_ns);
  }
  const auto take = [&](Tier tier, int64_t time_ns) {
    if (view.Keeps(tier, time_ns)) oldest_ns = std::min(oldest_ns, time_ns);
  };
  for (const UnsealedBatch& unsealed : view.unsealed) {
    const model::Batch& batch = *unsealed.batch;
    for (const auto& row : batch.spans) take(Tier::kSpans, row.start_ns);
    for (const auto& row : batch.edges) take(Tier::kSeries10s, row.window_start_ns);
    for (const auto& row : batch.processes) take(Tier::kEvents, row.time_ns);
    for (const auto& row : batch.losses) take(Tier::kEvents, row.time_ns);
    for (const auto& row : batch.points) take(Tier::kSeries10s, row.time_ns);
    for (const auto& row : batch.chunks) take(Tier::kSpans, row.first_ns);
  }
  return oldest_ns == INT64_MAX ? 0 : oldest_ns;
}

StoreStatus StatusOf(Engine& engine) {
  const Engine::Reading reading(engine);
  const DatabaseResources& resources = engine.resources();
  StoreStatus out;
  out.id = engine.id();
  out.format = Engine::kFormat;
  out.directory = engine.options().directory;
  out.bytes = DirectoryBytes(out.directory);
  out.max_bytes = engine.options().max_bytes;
  out.free_bytes = FreeBytes(out.directory);
  out.late_refused = engine.late_refused();
  const auto ticker = [&](uint32_t which) { return resources.statistics->getTickerCount(which); };
  out.write_stalls = resources.write_stalls->load();
  out.write_stall_seconds = static_cast<double>(ticker(rocksdb::STALL_MICROS)) / 1e6;
  out.cache_hits = ticker(rocksdb::BLOCK_CACHE_HIT);
  out.cache_misses = ticker(rocksdb::BLOCK_CACHE_MISS);
  out.memory_bytes = resources.cache->GetUsage() + resources.write_buffers->memory_usage() +
                     engine.unsealed_memory_bytes();
  out.memory_limit_bytes = engine.options().memory_bytes;
  out.stopped = engine.stopped();
  if (reading.status().ok()) AddContents(reading.view(), out);
  return out;
}

}  // namespace kindling::storage
