#include "storage/engine/engine.h"

#include <rocksdb/db.h>
#include <rocksdb/options.h>
#include <rocksdb/snapshot.h>
#include <rocksdb/utilities/checkpoint.h>
#include <rocksdb/write_batch.h>

#include <algorithm>
#include <utility>

#include "absl/time/clock.h"
#include "base/status_macros.h"
#include "storage/blocks/raw_batch.h"
#include "storage/blocks/span_block.h"
#include "storage/engine/faults.h"
#include "storage/engine/rocks_status.h"
#include "storage/engine/room.h"
#include "storage/engine/sequences.h"

namespace kindling::storage {
namespace {

// How long an append waits for a sealer that seals nothing before it is refused.
constexpr absl::Duration kPatience = absl::Seconds(10);

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
      unsealed_limit_bytes_(options.memory_bytes / 8),
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

absl::Status Engine::Written(absl::FunctionRef<rocksdb::Status()> operation) {
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

void Engine::ChangeView(absl::FunctionRef<void(View&)> change) {
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
                     .batch = batch,
                     .memory_bytes = MemoryBytes(*batch)});
  }
  if (added.empty()) return absl::OkStatus();
  sequences.AddTo(write);
  Point("append:before_write");
  RETURN_IF_ERROR(Write(write, /*sync=*/true));
  Point("append:after_write");

  ChangeView([&](View& view) ABSL_EXCLUSIVE_LOCKS_REQUIRED(view_mu_) {
    for (const UnsealedBatch& unsealed : added) {
      unsealed_bytes_ += unsealed.memory_bytes;
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
