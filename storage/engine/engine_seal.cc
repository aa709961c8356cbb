// How records of an engine go from raw batches into blocks, and from small blocks into large ones.

#include <glog/logging.h>
#include <rocksdb/db.h>
#include <rocksdb/options.h>
#include <rocksdb/write_batch.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "base/status_macros.h"
#include "storage/blocks/edge_block.h"
#include "storage/blocks/metric_block.h"
#include "storage/blocks/span_block.h"
#include "storage/engine/block_reader.h"
#include "storage/engine/engine.h"
#include "storage/engine/retention.h"
#include "storage/engine/rocks_status.h"

namespace kindling::storage {

absl::StatusOr<bool> Engine::SealSome(int64_t before_ns) {
  // An append may be waiting for this with its lock held, unless writing has failed.
  if (WriteFailed()) {
    absl::MutexLock append_lock(&append_mu_);
    RETURN_IF_ERROR(Recover());
  }
  absl::MutexLock seal_lock(&seal_mu_);
  absl::ReaderMutexLock db_lock(&db_mu_);
  RETURN_IF_ERROR(Usable());
  // Where memory is short blocks are as small as need be.
  if (unsealed_memory_bytes() >= unsealed_limit_bytes_ / 2) before_ns = INT64_MAX;
  const std::shared_ptr<const View> from = view();
  // Batches of spans and batches of sums come from agents apart, and fill their blocks apart.
  uint64_t spans = 0;
  uint64_t others = 0;
  bool old_spans = false;
  bool old_others = false;
  for (const UnsealedBatch& unsealed : from->unsealed) {
    const bool is_old = unsealed.arrived_ns < before_ns;
    const bool has_spans = !unsealed.batch->spans.empty();
    (has_spans ? spans : others) +=
        has_spans ? unsealed.batch->spans.size() : unsealed.other_rows();
    (has_spans ? old_spans : old_others) |= is_old;
  }
  const bool seal_spans = old_spans || spans >= kSpanBlockRows;
  const bool seal_others = old_others || others >= kOtherRowsAtOnce;
  // Not more than a few blocks at once: an append may be waiting for what this frees.
  std::vector<UnsealedBatch> batches;
  uint64_t span_rows = 0;
  uint64_t other_rows = 0;
  for (const UnsealedBatch& unsealed : from->unsealed) {
    const bool has_spans = !unsealed.batch->spans.empty();
    uint64_t& rows = has_spans ? span_rows : other_rows;
    const uint64_t most = 4 * (has_spans ? kSpanBlockRows : kEdgeBlockRows);
    if (!(has_spans ? seal_spans : seal_others) || rows >= most) continue;
    rows += has_spans ? unsealed.batch->spans.size() : unsealed.other_rows();
    batches.push_back(unsealed);
  }
  if (batches.empty()) return false;

  SealOptions options;
  for (const Tier tier : kTiers) {
    const TierOptions& of = TierOf(tier);
    options.bucket_ns[static_cast<size_t>(tier)] = EffectiveBucketNs(of.bucket_ns, of.max_age_ns);
  }
  BlockWriter writer(*from->dictionaries, next_number_);
  uint64_t refused = 0;
  SeriesGate gate(limiter_, [&](const Space& space, int64_t bucket_ns, SeriesLimiter& limiter)
                                ABSL_NO_THREAD_SAFETY_ANALYSIS {
                                  SeedSeries(*from, space, bucket_ns, limiter);
                                });
  BucketWrites writes = Seal(batches, *from, options, gate, writer, next_number_, refused);
  limiter_.Forget(from->dropped_before_ns[static_cast<size_t>(Tier::kSeries10s)]);
  absl::MutexLock commit_lock(&commit_mu_);
  RETURN_IF_ERROR(CommitSeal(batches, std::move(writes)));
  late_refused_ += refused;
  return true;
}

void Engine::SeedSeries(const View& view, const Space& space, int64_t bucket_ns,
                        SeriesLimiter& limiter) {
  const SeriesScope scope{space.tenant, space.cluster, bucket_ns};
  for (const auto& bucket : view.buckets) {
    if (bucket->id.tier != Tier::kSeries10s || bucket->id.start_ns != bucket_ns) continue;
    for (const auto& block : bucket->blocks) {
      if (block->key.space != space) continue;
      rocksdb::PinnableSlice body;
      if (!ReadPart(database_->db(), view, *bucket, *block, BlockPart::kBody, &body).ok()) continue;
      // What cannot be read is reported by queries; here it only lets a few more series in.
      if (block->key.block_class == BlockClass::kEdges) {
        const auto rows = DecodeEdgeBlock(body.ToStringView(), *view.dictionaries);
        if (!rows.ok()) continue;
        for (const model::EdgeStats& row : *rows) limiter.Seed(scope, row);
      } else if (block->key.block_class == BlockClass::kMetrics) {
        const auto series = DecodeMetricSeries(body.ToStringView(), *view.dictionaries);
        if (!series.ok()) continue;
        for (const model::MetricSeries& one : *series) limiter.Seed(scope, one);
      }
    }
  }
}

absl::StatusOr<std::shared_ptr<const Bucket>> Engine::BucketFor(const View& view, Tier tier,
                                                                int64_t start_ns) {
  const TierOptions& of = TierOf(tier);
  BucketId id{.tier = tier,
              .start_ns = start_ns,
              .length_ns = EffectiveBucketNs(of.bucket_ns, of.max_age_ns)};
  for (const auto& bucket : view.buckets) {
    if (bucket->id.tier != tier || bucket->id.start_ns != start_ns ||
        bucket->id.length_ns != id.length_ns) {
      continue;
    }
    if (bucket->bytes < part_bytes_ && !bucket->damaged) return bucket;
    id.part = std::max(id.part, bucket->id.part + 1);
  }
  auto bucket = std::make_shared<Bucket>();
  bucket->id = id;
  ASSIGN_OR_RETURN(bucket->family, database_->CreateBucket(id));
  return bucket;
}

absl::Status Engine::CommitSeal(const std::vector<UnsealedBatch>& batches, BucketWrites writes) {
  const std::shared_ptr<const View> from = view();
  rocksdb::WriteBatch write;
  std::vector<std::shared_ptr<const Bucket>> changed;
  for (auto& [where, bucket_write] : writes) {
    const TierOptions& of = TierOf(where.first);
    const BucketId id{.tier = where.first,
                      .start_ns = where.second,
                      .length_ns = EffectiveBucketNs(of.bucket_ns, of.max_age_ns)};
    if (id.end_ns() <= from->dropped_before_ns[static_cast<size_t>(where.first)]) {
      // Dropped since this was prepared: it must not come back.
      for (const auto& block : bucket_write.blocks) late_refused_ += block->rows;
      continue;
    }
    ASSIGN_OR_RETURN(const std::shared_ptr<const Bucket> bucket,
                     BucketFor(*from, where.first, where.second));
    rocksdb::ColumnFamilyHandle* const handle = bucket->family->handle();
    for (const KeyValue& row : bucket_write.values) {
      if (row.key.front() == static_cast<char>(Table::kContents)) {
        // Kept once, however often it is sent.
        rocksdb::PinnableSlice known;
        if (database_->db().Get(rocksdb::ReadOptions(), handle, row.key, &known).ok()) continue;
      }
      write.Put(handle, row.key, row.value);
    }
    auto next = std::make_shared<Bucket>(*bucket);
    for (const auto& block : bucket_write.blocks) {
      next->bytes += block->bytes;
      next->rows += block->rows;
      next->blocks.push_back(block);
    }
    next->written_ns = absl::GetCurrentTimeNanos();
    changed.push_back(std::move(next));
  }
  for (const UnsealedBatch& batch : batches) {
    write.Delete(database_->raw().handle(), RawBatchKey{batch.arrival}.Encode());
  }
  Point("seal:before_write");
  // Not synced: until it is on disk the batches are there in its place.
  RETURN_IF_ERROR(Write(write, /*sync=*/false));
  Point("seal:after_write");

  ChangeView([&](View& view) ABSL_NO_THREAD_SAFETY_ANALYSIS {
    for (auto& bucket : changed) {
      const auto same = std::find_if(view.buckets.begin(), view.buckets.end(),
                                     [&](const auto& other) { return other->id == bucket->id; });
      if (same != view.buckets.end()) {
        *same = std::move(bucket);
      } else {
        view.buckets.push_back(std::move(bucket));
      }
    }
    std::sort(view.buckets.begin(), view.buckets.end(),
              [](const auto& a, const auto& b) { return a->id < b->id; });
    std::erase_if(view.unsealed, [&](const UnsealedBatch& unsealed) ABSL_NO_THREAD_SAFETY_ANALYSIS {
      const bool sealed =
          std::binary_search(batches.begin(), batches.end(), unsealed,
                             [](const auto& a, const auto& b) { return a.arrival < b.arrival; });
      if (sealed) {
        unsealed_bytes_ -= unsealed.memory_bytes;
        unsealed_spans_ -= unsealed.batch->spans.size();
        unsealed_rows_ -= unsealed.other_rows();
      }
      return sealed;
    });
    ++seals_;
    TakeSnapshot(view);
  });
  return absl::OkStatus();
}

absl::StatusOr<bool> Engine::MergeSome(int64_t quiet_before_ns) {
  if (WriteFailed()) return false;
  absl::MutexLock merge_lock(&merge_mu_);
  absl::ReaderMutexLock db_lock(&db_mu_);
  RETURN_IF_ERROR(Usable());
  const std::shared_ptr<const View> from = view();
  const std::optional<Merge> merge = ChooseMerge(*from, quiet_before_ns);
  if (!merge) return false;
  BlockWriter writer(*from->dictionaries, next_number_);
  ASSIGN_OR_RETURN(MergeWrite write, MergeBlocks(database_->db(), *from, *merge, writer));
  absl::MutexLock commit_lock(&commit_mu_);
  RETURN_IF_ERROR(CommitMerge(*merge, std::move(write)));
  return true;
}

absl::Status Engine::CommitMerge(const Merge& merge, MergeWrite write) {
  const std::shared_ptr<const View> from = view();
  const auto current =
      std::find_if(from->buckets.begin(), from->buckets.end(),
                   [&](const auto& bucket) { return bucket->id == merge.bucket->id; });
  // Dropped meanwhile.
  if (current == from->buckets.end()) return absl::OkStatus();
  auto next = std::make_shared<Bucket>(**current);
  if (write.damaged != nullptr) {
    for (auto& block : next->blocks) {
      if (block != write.damaged) continue;
      auto copy = std::make_shared<Block>(*block);
      copy->unmergeable = true;
      block = std::move(copy);
      break;
    }
  } else {
    rocksdb::WriteBatch batch;
    rocksdb::ColumnFamilyHandle* const handle = next->family->handle();
    for (const KeyValue& row : write.added.values) batch.Put(handle, row.key, row.value);
    for (const std::string& key : write.deleted) batch.Delete(handle, key);
    Point("merge:before_write");
    RETURN_IF_ERROR(Write(batch, /*sync=*/false));
    Point("merge:after_write");
    std::erase_if(next->blocks, [&](const auto& block) {
      const bool old =
          std::find(merge.blocks.begin(), merge.blocks.end(), block) != merge.blocks.end();
      if (old) {
        next->bytes -= block->bytes;
        next->rows -= block->rows;
        next->dead_bytes += block->bytes;
      }
      return old;
    });
    for (const auto& block : write.added.blocks) {
      next->bytes += block->bytes;
      next->rows += block->rows;
      next->blocks.push_back(block);
    }
  }
  ChangeView([&](View& view) ABSL_NO_THREAD_SAFETY_ANALYSIS {
    for (auto& bucket : view.buckets) {
      if (bucket->id == next->id) bucket = next;
    }
    TakeSnapshot(view);
  });
  return absl::OkStatus();
}

absl::StatusOr<bool> Engine::TidySome() {
  constexpr uint64_t kLeastBytes = 1 << 20;
  absl::ReaderMutexLock db_lock(&db_mu_);
  RETURN_IF_ERROR(Usable());
  const std::shared_ptr<const View> from = view();
  std::shared_ptr<const Bucket> most;
  for (const auto& bucket : from->buckets) {
    if (bucket->dead_bytes < std::max(kLeastBytes, bucket->bytes / 2)) continue;
    if (bucket->damaged) continue;
    if (most == nullptr || bucket->dead_bytes > most->dead_bytes) most = bucket;
  }
  if (most == nullptr) return false;
  ChangeView([&](View& view) {
    for (auto& bucket : view.buckets) {
      if (bucket->id != most->id) continue;
      auto next = std::make_shared<Bucket>(*bucket);
      next->dead_bytes -= std::min(next->dead_bytes, most->dead_bytes);
      bucket = std::move(next);
    }
  });
  RETURN_IF_ERROR(CompactBucket(*most));
  return true;
}

absl::Status Engine::CompactFamily(const Family& family) {
  {
    // Compaction would flush first, also when a write has failed meanwhile: then what is in the
    // files would be ahead of the log, which RocksDB does not open again.
    rocksdb::DB& db = database_->db();
    absl::MutexLock lock(&write_mu_);
    RETURN_IF_ERROR(Written([&] { return db.Flush(rocksdb::FlushOptions(), family.handle()); }));
  }
  rocksdb::CompactRangeOptions options;
  options.exclusive_manual_compaction = false;
  options.bottommost_level_compaction = rocksdb::BottommostLevelCompaction::kForce;
  absl::Status status = FromRocks(
      database_->db().CompactRange(options, family.handle(), nullptr, nullptr), "compact");
  // RocksDB takes no more writes then, until it is opened anew.
  if (absl::IsDataLoss(status)) StopWriting(status);
  return status;
}

absl::Status Engine::CompactBucket(const Bucket& bucket) {
  {
    absl::MutexLock lock(&view_mu_);
    if (untidy_.contains(bucket.id)) return absl::OkStatus();
  }
  absl::Status status = CompactFamily(*bucket.family);
  if (absl::IsDataLoss(status)) {
    absl::MutexLock lock(&view_mu_);
    untidy_.insert(bucket.id);
  }
  return status;
}

absl::Status Engine::CompactAll() {
  absl::ReaderMutexLock db_lock(&db_mu_);
  RETURN_IF_ERROR(Usable());
  const std::shared_ptr<const View> from = view();
  RETURN_IF_ERROR(CompactFamily(database_->raw()));
  for (const auto& bucket : from->buckets) {
    if (!bucket->damaged) RETURN_IF_ERROR(CompactBucket(*bucket));
  }
  ChangeView([&](View& view) {
    for (auto& bucket : view.buckets) {
      if (bucket->dead_bytes == 0) continue;
      auto next = std::make_shared<Bucket>(*bucket);
      next->dead_bytes = 0;
      bucket = std::move(next);
    }
  });
  return absl::OkStatus();
}

absl::Status Engine::FlushFamilies() {
  const std::shared_ptr<const View> from = view();
  std::vector<rocksdb::ColumnFamilyHandle*> handles = {database_->db().DefaultColumnFamily(),
                                                       database_->raw().handle()};
  for (const auto& bucket : from->buckets) handles.push_back(bucket->family->handle());
  rocksdb::DB& db = database_->db();
  absl::MutexLock lock(&write_mu_);
  return Written([&] { return db.Flush(rocksdb::FlushOptions(), handles); });
}

void Engine::Flush() {
  absl::ReaderMutexLock db_lock(&db_mu_);
  if (!Usable().ok() || WriteFailed()) return;
  const absl::Status status = FlushFamilies();
  if (!status.ok()) LOG(WARNING) << "store: " << status << "; the log still has it";
  database_->Guard();
}

}  // namespace kindling::storage
