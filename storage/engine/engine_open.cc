// How an engine gets its database, at first and after a failure.

#include <glog/logging.h>
#include <rocksdb/db.h>
#include <rocksdb/write_batch.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>

#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "base/status_macros.h"
#include "storage/engine/directory.h"
#include "storage/engine/engine.h"
#include "storage/engine/rocks_status.h"
#include "storage/engine/room.h"
#include "storage/restore.h"

namespace kindling::storage {
namespace {

// Between attempts to open the database again, which keep questions waiting.
constexpr int64_t kLeastPauseNs = 50'000'000;
constexpr int64_t kLongestPauseNs = 60 * RocksStoreOptions::kSecondNs;

std::string RandomId() {
  std::random_device random;
  std::string id;
  for (int i = 0; i < 4; ++i) id += absl::StrFormat("%08x", random());
  return id;
}

}  // namespace

absl::Status Engine::Open() {
  absl::MutexLock append_lock(&append_mu_);
  absl::MutexLock lock(&db_mu_);
  ASSIGN_OR_RETURN(database_, Database::Open(options_, resources_, /*read_only=*/false));
  if (const std::string& cause = database_->read_only_cause(); !cause.empty()) {
    LOG(ERROR) << "store: " << cause;
    reopened_ = absl::ResourceExhaustedError(cause);
    StopWriting(reopened_);
  }
  RETURN_IF_ERROR(Initialise());
  return Load();
}

absl::Status Engine::Initialise() {
  rocksdb::DB& db = database_->db();
  const bool read_only = !database_->read_only_cause().empty();
  std::string format;
  const rocksdb::Status read = db.Get(rocksdb::ReadOptions(), MetaKey{"format"}.Encode(), &format);
  rocksdb::WriteBatch write;
  const std::filesystem::path marker = std::filesystem::path(options_.directory) / kRestoredMarker;
  std::error_code error;
  // What else is there can be read without.
  if (read_only && !read.ok()) return absl::OkStatus();
  if (read.IsNotFound()) {
    const std::unique_ptr<rocksdb::Iterator> iterator(db.NewIterator(rocksdb::ReadOptions()));
    iterator->SeekToFirst();
    if (iterator->Valid()) {
      return absl::FailedPreconditionError(absl::StrFormat(
          "%s holds another program's database: set another data_directory", options_.directory));
    }
    id_ = RandomId();
    write.Put(MetaKey{"format"}.Encode(), absl::StrFormat("%d", kFormat));
    write.Put(MetaKey{"store_id"}.Encode(), id_);
  } else {
    if (!read.ok()) return OpenFault(read, options_.directory);
    int number = 0;
    const auto parsed = std::from_chars(format.data(), format.data() + format.size(), number);
    if (parsed.ec != std::errc() || number < 1) {
      return OpenFault(rocksdb::Status::Corruption("unreadable format number"), options_.directory);
    }
    if (number < kFormat) {
      return absl::FailedPreconditionError(absl::StrFormat(
          "store %s has format %d, of a version before the first release, which is no longer read: "
          "move it away to begin an empty one",
          options_.directory, number));
    }
    if (number > kFormat) {
      return absl::FailedPreconditionError(
          absl::StrFormat("store %s has format %d and this program reads format %d: run the newer "
                          "kindling-controller that wrote it, or set another data_directory",
                          options_.directory, number, kFormat));
    }
    const rocksdb::Status id = db.Get(rocksdb::ReadOptions(), MetaKey{"store_id"}.Encode(), &id_);
    if (read_only) return absl::OkStatus();
    if (!id.ok()) return OpenFault(id, options_.directory);
    if (!std::filesystem::exists(marker, error)) return absl::OkStatus();
    id_ = RandomId();
    write.Put(MetaKey{"store_id"}.Encode(), id_);
  }
  RETURN_IF_ERROR(Write(write, /*sync=*/true));
  std::filesystem::remove(marker, error);
  return absl::OkStatus();
}

absl::Status Engine::Load() {
  ASSIGN_OR_RETURN(Directory directory, LoadDirectory(*database_));
  for (const Fault& fault : directory.view.faults) {
    LOG(ERROR) << "store: cannot read " << fault.what;
  }
  DropLeftOver(directory.view);
  next_number_ = std::max<uint64_t>(next_number_, directory.next_number);
  next_arrival_ = std::max(next_arrival_, directory.next_arrival);
  LoadAddresses();
  TakeSnapshot(directory.view);
  absl::MutexLock lock(&view_mu_);
  unsealed_bytes_ = unsealed_spans_ = unsealed_rows_ = 0;
  for (const UnsealedBatch& unsealed : directory.view.unsealed) {
    unsealed_bytes_ += unsealed.memory_bytes;
    unsealed_spans_ += unsealed.batch->spans.size();
    unsealed_rows_ += unsealed.other_rows();
  }
  view_ = std::make_shared<const View>(std::move(directory.view));
  changes_.NoteAll();
  return absl::OkStatus();
}

void Engine::DropLeftOver(View& view) {
  Database& database = *database_;
  std::erase_if(view.buckets, [&](const auto& bucket) {
    const auto tier = static_cast<size_t>(bucket->id.tier);
    if (bucket->id.end_ns() > view.dropped_before_ns[tier]) return false;
    const absl::Status status = database.DropBucket(bucket->id, *bucket->family);
    // It stays hidden; the next start tries again.
    if (!status.ok()) LOG(WARNING) << "store: " << status;
    return true;
  });
}

void Engine::LoadAddresses() {
  latest_.Clear();
  const std::string prefix(1, static_cast<char>(Table::kAddresses));
  const std::unique_ptr<rocksdb::Iterator> iterator(
      database_->db().NewIterator(rocksdb::ReadOptions()));
  for (iterator->Seek(prefix); iterator->Valid() && iterator->key().starts_with(prefix);
       iterator->Next()) {
    const std::optional<AddressKey> key = AddressKey::Parse(iterator->key().ToStringView());
    if (key) {
      latest_.Remember(iterator->key().ToString(), iterator->value().ToStringView(), key->first_ns);
    }
  }
  // What cannot be read is reported by scans; here it only means that a row is written once more.
}

void Engine::StopWriting(const absl::Status& cause) {
  absl::MutexLock lock(&write_mu_);
  write_failed_ = true;
  stopped_ = std::string(cause.message());
}

absl::Status Engine::Recover() {
  if (!WriteFailed()) return absl::OkStatus();
  const int64_t now_ns = absl::GetCurrentTimeNanos();
  {
    absl::ReaderMutexLock lock(&db_mu_);
    if (Usable().ok()) {
      // What was damaged when the program started is so still.
      if (!database_->read_only_cause().empty()) return reopened_;
      // Opening writes a little: not before there is room for it.
      RETURN_IF_ERROR(TryWriting(options_.directory));
    }
  }
  if (!reopened_.ok() && now_ns < reopen_after_ns_) return reopened_;
  reopened_ = Reopen();
  if (!reopened_.ok()) {
    LOG(ERROR) << "store: " << reopened_;
    reopen_pause_ns_ = std::clamp(2 * reopen_pause_ns_, kLeastPauseNs, kLongestPauseNs);
    reopen_after_ns_ = absl::GetCurrentTimeNanos() + reopen_pause_ns_;
    StopWriting(reopened_);
    return reopened_;
  }
  reopen_pause_ns_ = 0;
  {
    absl::MutexLock write_lock(&write_mu_);
    write_failed_ = false;
  }
  LOG(INFO) << "store: writing goes on";
  Point("open:after_recover");
  return absl::OkStatus();
}

absl::Status Engine::Reopen() {
  absl::MutexLock lock(&db_mu_);
  const absl::Status writable = OpenAndLoad(/*read_only=*/false);
  if (writable.ok()) {
    const std::string& cause = database_->read_only_cause();
    return cause.empty() ? absl::OkStatus() : absl::ResourceExhaustedError(cause);
  }
  const absl::Status readable = OpenAndLoad(/*read_only=*/true);
  if (readable.ok()) {
    return absl::ResourceExhaustedError(
        absl::StrFormat("the store can only be read: %s", std::string(writable.message())));
  }
  unreadable_ =
      absl::StrFormat("the store cannot be read at present: %s; it is tried again every minute",
                      std::string(writable.message()));
  return absl::UnavailableError(unreadable_);
}

absl::Status Engine::OpenAndLoad(bool read_only) {
  {
    absl::MutexLock view_lock(&view_mu_);
    view_.reset();
  }
  database_.reset();
  ASSIGN_OR_RETURN(database_, Database::Open(options_, resources_, read_only));
  absl::Status loaded = Load();
  if (!loaded.ok()) database_.reset();
  return loaded;
}

}  // namespace kindling::storage
