#include "storage/engine/engine.h"

#include <glog/logging.h>
#include <rocksdb/db.h>
#include <rocksdb/options.h>
#include <rocksdb/snapshot.h>
#include <rocksdb/utilities/checkpoint.h>
#include <rocksdb/write_batch.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "base/status_macros.h"
#include "storage/align.h"
#include "storage/blocks/edge_block.h"
#include "storage/blocks/metric_block.h"
#include "storage/blocks/raw_batch.h"
#include "storage/blocks/span_block.h"
#include "storage/engine/block_reader.h"
#include "storage/engine/faults.h"
#include "storage/engine/retention.h"
#include "storage/engine/rocks_status.h"
#include "storage/engine/room.h"
#include "storage/engine/sequences.h"

namespace kindling::storage {
namespace {

constexpr size_t kMaxAddressRows = 200'000;
// How far records may be ahead of the time of day: clocks differ.
constexpr int64_t kFutureNs = RocksStoreOptions::kDayNs;
// How long an append waits for a sealer that seals nothing before it is refused.
constexpr absl::Duration kPatience = absl::Seconds(10);
// Rows of other classes than spans that make a seal worth while. The same series come again in
// every window, and several windows at once make fewer rows of minutes and hours.
constexpr uint64_t kOtherRowsAtOnce = 3 * kEdgeBlockRows;

void NoteChanges(const model::Batch& batch, ChangeLog& changes) {
  int64_t first_ns = INT64_MAX;
  int64_t last_ns = INT64_MIN;
  const auto take = [&](int64_t time_ns) {
    first_ns = std::min(first_ns, time_ns);
    last_ns = std::max(last_ns, time_ns);
  };
  for (const model::EdgeStats& row : batch.edges) take(row.window_start_ns);
  for (const model::Loss& row : batch.losses) take(row.time_ns);
  changes.Note(first_ns, last_ns);
}

absl::Status CheckNames(const model::Batch& batch) {
  for (const std::string* text : {&batch.id.agent_id, &batch.tenant, &batch.cluster}) {
    if (text->size() > kMaxKeyText) return absl::InvalidArgumentError("a name is too long");
  }
  for (const model::AddressBinding& row : batch.addresses) {
    if (row.address.size() > kMaxKeyText || row.host.size() > kMaxKeyText) {
      return absl::InvalidArgumentError("an address is too long");
    }
  }
  for (const model::MetricPoint& point : batch.points) {
    if (point.series >= batch.series.size()) {
      return absl::InvalidArgumentError("a point of a batch has no series");
    }
  }
  return absl::OkStatus();
}

}  // namespace

Engine::Engine(const RocksStoreOptions& options)
    : options_(options),
      resources_(options_),
      part_bytes_(std::clamp<uint64_t>(options.max_bytes / 32, 1 << 20, uint64_t{1} << 30)),
      unsealed_limit_bytes_(options.memory_bytes / 4),
      limiter_({.edge_series = options.max_edge_series,
                .series_per_metric = options.max_series_per_metric}) {}

Engine::~Engine() {
  absl::MutexLock append_lock(&append_mu_);
  absl::MutexLock lock(&db_mu_);
  absl::MutexLock view_lock(&view_mu_);
  view_.reset();
}

const TierOptions& Engine::TierOf(Tier tier) const {
  switch (tier) {
    case Tier::kSpans:
      return options_.spans;
    case Tier::kSeries10s:
      return options_.series_10s;
    case Tier::kSeries1m:
      return options_.series_1m;
    case Tier::kSeries1h:
      return options_.series_1h;
    case Tier::kEvents:
      return options_.events;
  }
  return options_.spans;
}

absl::Status Engine::Write(rocksdb::WriteBatch& write, bool sync) {
  absl::MutexLock lock(&write_mu_);
  rocksdb::WriteOptions options;
  options.sync = sync;
  rocksdb::DB& db = database_->db();
  RETURN_IF_ERROR(Written([&] { return db.Write(options, &write); }));
  if (sync) database_->GuardLog();
  return absl::OkStatus();
}

template <typename Operation>
absl::Status Engine::Written(Operation operation) {
  if (write_failed_) return absl::ResourceExhaustedError("an earlier write to the store failed");
  const absl::Status status = FromRocks(operation(), "write to the store");
  if (!status.ok()) {
    write_failed_ = true;
    stopped_ = std::string(status.message());
  }
  return status;
}

bool Engine::WriteFailed() const {
  absl::MutexLock lock(&write_mu_);
  return write_failed_;
}

std::string Engine::stopped() const {
  absl::MutexLock lock(&write_mu_);
  return stopped_;
}

std::shared_ptr<const View> Engine::view() const {
  absl::MutexLock lock(&view_mu_);
  return view_;
}

template <typename Change>
void Engine::ChangeView(Change change) {
  std::shared_ptr<const View> old;  // goes after the lock
  absl::MutexLock lock(&view_mu_);
  auto next = std::make_shared<View>(*view_);
  change(*next);
  old = std::exchange(view_, std::move(next));
}

void Engine::TakeSnapshot(View& view) {
  rocksdb::DB* const db = &database_->db();
  view.snapshot = std::shared_ptr<const rocksdb::Snapshot>(
      db->GetSnapshot(),
      [db](const rocksdb::Snapshot* snapshot) { db->ReleaseSnapshot(snapshot); });
}

absl::Status Engine::Usable() const {
  if (database_ != nullptr) return absl::OkStatus();
  return absl::UnavailableError(unreadable_);
}

absl::Status Engine::WaitForRoom() {
  absl::MutexLock lock(&view_mu_);
  while (unsealed_bytes_ >= unsealed_limit_bytes_) {
    // Records that come faster than they are sealed wait for it, however long that takes: that
    // slows down who sends them.
    const auto sealed = [this, before = seals_]()
                            ABSL_EXCLUSIVE_LOCKS_REQUIRED(view_mu_) { return seals_ != before; };
    if (!view_mu_.AwaitWithTimeout(absl::Condition(&sealed), kPatience)) {
      return absl::ResourceExhaustedError("the store cannot seal what it holds");
    }
  }
  return absl::OkStatus();
}

absl::Status Engine::Append(const std::vector<Store::BatchPtr>& batches) {
  absl::MutexLock lock(&append_mu_);
  absl::Status ready = CheckRoom(options_.directory, options_.min_free_bytes);
  if (ready.ok()) ready = Recover();
  if (ready.ok()) ready = WaitForRoom();
  {
    absl::MutexLock write_lock(&write_mu_);
    stopped_ = ready.ok() ? "" : std::string(ready.message());
  }
  RETURN_IF_ERROR(ready);

  absl::ReaderMutexLock db_lock(&db_mu_);
  rocksdb::WriteBatch write;
  NewSequences sequences(database_->db());
  std::vector<UnsealedBatch> added;
  bool has_new_addresses = false;
  for (const Store::BatchPtr& batch : batches) RETURN_IF_ERROR(CheckNames(*batch));
  for (const Store::BatchPtr& batch : batches) {
    ASSIGN_OR_RETURN(const bool is_new, sequences.Advance(*batch));
    if (!is_new) continue;
    const std::string raw = EncodeRawBatch(*batch);
    const uint64_t arrival = next_arrival_++;
    write.Put(database_->raw().handle(), RawBatchKey{arrival}.Encode(), raw);
    for (const model::AddressBinding& row : batch->addresses) {
      const std::string key = KeyOf(row, batch->tenant, batch->cluster).Encode();
      const std::string value = AddressValue(row);
      if (latest_.Known(key, value, row.first_ns)) continue;
      write.Put(key, value);
      has_new_addresses = true;
    }
    added.push_back({.arrival = arrival,
                     .bytes = raw.size(),
                     .arrived_ns = absl::GetCurrentTimeNanos(),
                     .batch = batch});
  }
  if (added.empty()) return absl::OkStatus();
  sequences.AddTo(write);
  Point("append:before_write");
  RETURN_IF_ERROR(Write(write, /*sync=*/true));
  Point("append:after_write");

  ChangeView([&](View& view) ABSL_EXCLUSIVE_LOCKS_REQUIRED(view_mu_) {
    for (const UnsealedBatch& unsealed : added) {
      unsealed_bytes_ += unsealed.memory_bytes();
      unsealed_spans_ += unsealed.batch->spans.size();
      unsealed_rows_ += unsealed.other_rows();
      view.unsealed.push_back(unsealed);
    }
  });
  if (has_new_addresses) changes_.NoteAll();
  for (const UnsealedBatch& unsealed : added) {
    NoteChanges(*unsealed.batch, changes_);
    for (const model::AddressBinding& row : unsealed.batch->addresses) {
      latest_.Remember(KeyOf(row, unsealed.batch->tenant, unsealed.batch->cluster).Encode(),
                       AddressValue(row), row.first_ns);
    }
  }
  return absl::OkStatus();
}

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
        unsealed_bytes_ -= unsealed.memory_bytes();
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

absl::Status Engine::Checkpoint(const std::string& directory) {
  absl::ReaderMutexLock db_lock(&db_mu_);
  RETURN_IF_ERROR(Usable());
  rocksdb::Checkpoint* raw = nullptr;
  RETURN_IF_ERROR(
      FromRocks(rocksdb::Checkpoint::Create(&database_->db(), &raw), "back up the store"));
  const std::unique_ptr<rocksdb::Checkpoint> checkpoint(raw);
  Point("backup:before_copy");
  {
    absl::MutexLock lock(&write_mu_);
    RETURN_IF_ERROR(Written([&] { return checkpoint->CreateCheckpoint(directory); }));
  }
  Point("backup:after_copy");
  return CopyNotes(*database_->db().GetEnv(), options_.directory, directory);
}

absl::Status Engine::Drop(const std::vector<BucketId>& ids,
                          const std::vector<std::pair<Tier, int64_t>>& before) {
  // What is gone is written down first: should the program end in between, the rest follows at the
  // next start, and late records do not bring a bucket back.
  if (!before.empty()) {
    rocksdb::WriteBatch write;
    for (const auto& [tier, time_ns] : before) {
      write.Put(MetaKey{DroppedBeforeName(tier)}.Encode(), TimeValue(time_ns));
    }
    RETURN_IF_ERROR(Write(write, /*sync=*/true));
  }
  Point("retain:before_drop");
  std::vector<std::shared_ptr<const Bucket>> dropped;
  ChangeView([&](View& view) {
    std::erase_if(view.buckets, [&](const auto& bucket) {
      const bool gone = std::find(ids.begin(), ids.end(), bucket->id) != ids.end();
      if (gone) dropped.push_back(bucket);
      return gone;
    });
    for (const auto& [tier, time_ns] : before) {
      int64_t& dropped_ns = view.dropped_before_ns[static_cast<size_t>(tier)];
      dropped_ns = std::max(dropped_ns, time_ns);
    }
  });
  changes_.NoteAll();
  for (const auto& bucket : dropped) {
    RETURN_IF_ERROR(database_->DropBucket(bucket->id, *bucket->family));
  }
  Point("retain:after_drop");
  return absl::OkStatus();
}

absl::Status Engine::DropBySize() {
  if (DirectoryBytes(options_.directory) <= options_.max_bytes) return absl::OkStatus();
  // What lies in memory and in the log cannot be dropped by buckets.
  RETURN_IF_ERROR(FlushFamilies());
  const uint64_t bytes = DirectoryBytes(options_.directory);
  // Files may be in use for a moment longer: what is dropped counts as gone.
  uint64_t dropped = 0;
  while (bytes > options_.max_bytes + dropped) {
    const std::shared_ptr<const View> now = view();
    const std::optional<BucketId> oldest = OldestBucket(*now);
    if (!oldest) break;
    for (const auto& bucket : now->buckets) {
      if (bucket->id == *oldest) dropped += FileBytes(*bucket);
    }
    LOG(INFO) << "store is larger than " << options_.max_bytes << " bytes: dropping "
              << oldest->FamilyName();
    std::vector<std::pair<Tier, int64_t>> before;
    if (IsLastPart(*now, *oldest)) before.emplace_back(oldest->tier, oldest->end_ns());
    RETURN_IF_ERROR(Drop({*oldest}, before));
  }
  return absl::OkStatus();
}

uint64_t Engine::FileBytes(const Bucket& bucket) {
  uint64_t bytes = 0;
  database_->db().GetIntProperty(bucket.family->handle(),
                                 rocksdb::DB::Properties::kTotalSstFilesSize, &bytes);
  return bytes;
}

absl::Status Engine::Retain(int64_t now_ns) {
  absl::MutexLock append_lock(&append_mu_);
  RETURN_IF_ERROR(Recover());
  absl::ReaderMutexLock db_lock(&db_mu_);
  int64_t longest_age_ns = 0;
  {
    absl::MutexLock commit_lock(&commit_mu_);
    std::vector<BucketId> old;
    std::vector<std::pair<Tier, int64_t>> before;
    const std::shared_ptr<const View> from = view();
    for (const Tier tier : kTiers) {
      const TierOptions& of = TierOf(tier);
      longest_age_ns = std::max(longest_age_ns, of.max_age_ns);
      const int64_t dropped_ns = from->dropped_before_ns[static_cast<size_t>(tier)];
      const int64_t age_ns =
          AlignDown(now_ns - of.max_age_ns, EffectiveBucketNs(of.bucket_ns, of.max_age_ns));
      const int64_t before_ns = std::max(dropped_ns, age_ns);
      const std::vector<BucketId> gone = BucketsBefore(*from, tier, before_ns);
      if (before_ns > dropped_ns) before.emplace_back(tier, before_ns);
      old.insert(old.end(), gone.begin(), gone.end());
    }
    if (!old.empty() || !before.empty()) RETURN_IF_ERROR(Drop(old, before));
    ChangeView([&](View& view) { view.not_after_ns = now_ns + kFutureNs; });
    RETURN_IF_ERROR(DropBySize());
    database_->Guard();
  }
  rocksdb::WriteBatch drop;
  RETURN_IF_ERROR(
      DropOldAddresses(database_->db(), now_ns - longest_age_ns, kMaxAddressRows, drop));
  RETURN_IF_ERROR(
      DropOldSequences(database_->db(), absl::GetCurrentTimeNanos() - longest_age_ns, drop));
  if (drop.Count() > 0) RETURN_IF_ERROR(Write(drop, /*sync=*/false));
  LoadAddresses();
  return absl::OkStatus();
}

void Engine::WaitForWork(absl::Duration timeout, const std::atomic<bool>& stop) {
  absl::MutexLock lock(&view_mu_);
  const auto work = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(view_mu_) {
    return woken_ || stop.load() || unsealed_spans_ >= kSpanBlockRows ||
           unsealed_rows_ >= kOtherRowsAtOnce || unsealed_bytes_ >= unsealed_limit_bytes_ / 2;
  };
  view_mu_.AwaitWithTimeout(absl::Condition(&work), timeout);
  woken_ = false;
}

void Engine::WakeUp() {
  absl::MutexLock lock(&view_mu_);
  woken_ = true;
}

Engine::Reading::Reading(Engine& engine) : engine_(engine) {
  engine_.db_mu_.ReaderLock();
  view_ = engine_.view();
  status_ = engine_.Usable();
}

Engine::Reading::~Reading() {
  view_.reset();
  engine_.db_mu_.ReaderUnlock();
}

rocksdb::DB& Engine::Reading::db() const ABSL_NO_THREAD_SAFETY_ANALYSIS {
  return engine_.database_->db();
}

}  // namespace kindling::storage
