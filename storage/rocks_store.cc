#include "storage/rocks_store.h"

#include <fcntl.h>
#include <glog/logging.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/options.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <map>
#include <random>
#include <utility>

#include "absl/strings/str_format.h"
#include "absl/synchronization/mutex.h"
#include "base/errno_status.h"
#include "base/status_macros.h"
#include "base/unique_fd.h"
#include "storage/address_rows.h"
#include "storage/batch_blocks.h"
#include "storage/keys.h"
#include "storage/rocks_log.h"
#include "storage/rocks_retention.h"
#include "storage/rocks_scan.h"
#include "storage/rocks_status.h"

namespace kindling::storage {
namespace {

namespace fs = std::filesystem;

// Of the key space and the values as a whole. A program reads every format up to its own.
constexpr int kFormat = 1;

constexpr size_t kMaxAddressRows = 200'000;

std::string RandomId() {
  std::random_device random;
  std::string id;
  for (int i = 0; i < 4; ++i) id += absl::StrFormat("%08x", random());
  return id;
}

std::string SequenceValue(uint64_t sequence) {
  std::string out;
  for (int shift = 56; shift >= 0; shift -= 8) out.push_back(static_cast<char>(sequence >> shift));
  return out;
}

absl::StatusOr<uint64_t> ParseSequence(std::string_view bytes) {
  if (bytes.size() != 8) return absl::DataLossError("a stored sequence is damaged");
  uint64_t value = 0;
  for (const char byte : bytes) value = value << 8 | static_cast<uint8_t>(byte);
  return value;
}

// Null: RocksDB's own.
std::unique_ptr<rocksdb::Env> MakeEnv(const RocksStoreOptions& options) {
  if (options.testing.file_system == nullptr) return nullptr;
  return rocksdb::NewCompositeEnv(options.testing.file_system);
}

rocksdb::Options DatabaseOptions(const RocksStoreOptions& options, rocksdb::Env* env) {
  rocksdb::Options out;
  if (env != nullptr) out.env = env;
  out.create_if_missing = true;
  // Blocks are compressed already, by column.
  out.compression = rocksdb::kNoCompression;
  // Memory and the log are part of the byte cap, so a small store has small ones.
  out.write_buffer_size =
      std::clamp<uint64_t>(options.max_bytes / 32, uint64_t{512} << 10, uint64_t{32} << 20);
  out.target_file_size_base = out.write_buffer_size;
  out.max_bytes_for_level_base = 4 * out.write_buffer_size;
  out.max_total_wal_size = 2 * out.write_buffer_size;
  out.max_background_jobs = 2;
  // RocksDB's own attempts to go on after a failed write abort in Debian's build, which asserts.
  out.max_bgerror_resume_count = 0;
  out.max_open_files = 512;
  out.info_log = MakeRocksLogger();
  out.max_manifest_file_size = 4 << 20;
  out.manifest_preallocation_size = 64 << 10;
  // What was synced is whole; a record torn by a crash ends the log.
  out.wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;
  rocksdb::BlockBasedTableOptions table;
  table.block_size = 32 << 10;
  out.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return out;
}

// RocksDB takes a directory without CURRENT for an empty one, makes a new database in it and
// deletes the old one's files.
absl::Status CheckDirectory(const std::string& directory) {
  std::error_code error;
  fs::create_directories(directory, error);
  if (error) {
    return absl::FailedPreconditionError(
        absl::StrFormat("store directory %s cannot be made: %s", directory, error.message()));
  }
  if (fs::exists(fs::path(directory) / "CURRENT", error)) return absl::OkStatus();
  for (const auto& entry : fs::directory_iterator(directory, error)) {
    const std::string name = entry.path().filename();
    // The first manifest alone is what is left when making a database was cut short.
    if (name.ends_with(".sst") || name.ends_with(".log") ||
        (name.starts_with("MANIFEST-") && name != "MANIFEST-000001")) {
      return OpenFault(rocksdb::Status::Corruption("CURRENT is missing"), directory);
    }
  }
  return absl::OkStatus();
}

// What opening a database needs, roughly: new log and manifest files.
constexpr size_t kRecoveryRoomBytes = 2 << 20;

// RESOURCE_EXHAUSTED unless the directory has room for kRecoveryRoomBytes.
absl::Status TryWriting(const std::string& directory) {
  const std::string path = directory + "/room.tmp";
  const base::UniqueFd fd(::open(path.c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600));
  if (!fd.valid()) return base::ErrnoStatus(errno, "open " + path);
  const std::string block(kRecoveryRoomBytes, 'x');
  const ssize_t written = ::write(fd.get(), block.data(), block.size());
  ::unlink(path.c_str());
  if (written == static_cast<ssize_t>(block.size())) return absl::OkStatus();
  return absl::ResourceExhaustedError(absl::StrFormat("store %s: the disk is full", directory));
}

class RocksStore final : public Store {
 public:
  RocksStore(const RocksStoreOptions& options, std::unique_ptr<rocksdb::Env> env,
             std::unique_ptr<rocksdb::DB> db)
      : options_(options),
        bucket_ns_(BucketNsFor(options.max_bytes)),
        env_(std::move(env)),
        db_(std::move(db)) {}

  // Checks the format, or makes a new store.
  absl::Status Initialise();

  absl::Status Append(const std::vector<model::Batch>& batches) override;
  absl::StatusOr<std::vector<Durable>> DurableSequences(std::string_view agent_id) override;
  absl::StatusOr<ScanReport> Scan(const ScanPlan& plan,
                                  const std::function<bool(const model::Batch&)>& visit) override {
    absl::ReaderMutexLock lock(&db_mu_);
    return ScanBlocks(*db_, plan, visit);
  }
  absl::Status Retain(int64_t now_ns) override;
  const std::string& id() const override { return id_; }
  uint64_t ApproximateBytes() const override;
  int64_t OldestNs() const override;

 private:
  using Sequences = std::map<std::pair<std::string, uint64_t>, uint64_t>;

  void Pass(std::string_view point) const {
    if (options_.testing.failpoint) options_.testing.failpoint(point);
  }
  absl::Status CheckRoom() const;
  absl::StatusOr<uint64_t> DurableSequence(const model::BatchId& id, const Sequences& new_ones)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) ABSL_SHARED_LOCKS_REQUIRED(db_mu_);
  // The only way to write. The failure of one write forbids all others.
  absl::Status Write(rocksdb::WriteBatch& write, bool sync, bool flush)
      ABSL_SHARED_LOCKS_REQUIRED(db_mu_) ABSL_LOCKS_EXCLUDED(write_mu_);
  // Makes writing possible again after a failure; RESOURCE_EXHAUSTED as long as there is no room.
  absl::Status Recover() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) ABSL_LOCKS_EXCLUDED(db_mu_);
  absl::Status AppendNew(const std::vector<model::Batch>& batches)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) ABSL_SHARED_LOCKS_REQUIRED(db_mu_);
  void AddTo(rocksdb::WriteBatch& write, const model::Batch& batch)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void LoadAddresses() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) ABSL_SHARED_LOCKS_REQUIRED(db_mu_);

  const RocksStoreOptions options_;
  const int64_t bucket_ns_;
  const std::unique_ptr<rocksdb::Env> env_;  // the database's, which must go first; may be null
  std::string id_;

  // Taken in this order.
  absl::Mutex mu_;  // one append at a time
  // Shared while the database is in use, exclusive while it is replaced.
  mutable absl::Mutex db_mu_;
  absl::Mutex write_mu_;  // one write at a time

  std::unique_ptr<rocksdb::DB> db_ ABSL_GUARDED_BY(db_mu_);  // never null
  LatestAddresses latest_ ABSL_GUARDED_BY(mu_);
  bool write_failed_ ABSL_GUARDED_BY(write_mu_) = false;
  absl::Mutex retain_mu_;
};

absl::Status RocksStore::Initialise() {
  absl::MutexLock lock(&mu_);
  absl::ReaderMutexLock db_lock(&db_mu_);
  std::string format;
  const rocksdb::Status read =
      db_->Get(rocksdb::ReadOptions(), MetaKey{"format"}.Encode(), &format);
  if (read.IsNotFound()) {
    {
      const std::unique_ptr<rocksdb::Iterator> iterator(db_->NewIterator(rocksdb::ReadOptions()));
      iterator->SeekToFirst();
      if (iterator->Valid()) {
        return absl::FailedPreconditionError(absl::StrFormat(
            "%s holds another program's database: set another data_directory", options_.directory));
      }
    }
    rocksdb::WriteBatch write;
    id_ = RandomId();
    write.Put(MetaKey{"format"}.Encode(), absl::StrFormat("%d", kFormat));
    write.Put(MetaKey{"store_id"}.Encode(), id_);
    return Write(write, /*sync=*/true, /*flush=*/false);
  }
  if (!read.ok()) return OpenFault(read, options_.directory);
  int number = 0;
  const auto parsed = std::from_chars(format.data(), format.data() + format.size(), number);
  if (parsed.ec != std::errc() || number < 1) {
    return OpenFault(rocksdb::Status::Corruption("unreadable format number"), options_.directory);
  }
  if (number > kFormat) {
    return absl::FailedPreconditionError(absl::StrFormat(
        "store %s has format %d and this program reads formats up to %d: run the newer "
        "kindling-controller that wrote it, or set another data_directory",
        options_.directory, number, kFormat));
  }
  const rocksdb::Status id = db_->Get(rocksdb::ReadOptions(), MetaKey{"store_id"}.Encode(), &id_);
  if (!id.ok()) return OpenFault(id, options_.directory);
  LoadAddresses();
  return absl::OkStatus();
}

void RocksStore::LoadAddresses() {
  latest_.Clear();
  const std::string prefix(1, static_cast<char>(Table::kAddresses));
  const std::unique_ptr<rocksdb::Iterator> iterator(db_->NewIterator(rocksdb::ReadOptions()));
  for (iterator->Seek(prefix); iterator->Valid() && iterator->key().starts_with(prefix);
       iterator->Next()) {
    const std::optional<AddressKey> key = AddressKey::Parse(iterator->key().ToStringView());
    if (key) {
      latest_.Remember(iterator->key().ToString(), iterator->value().ToStringView(), key->first_ns);
    }
  }
  // What cannot be read is reported by scans; here it only means that a row is written once more.
}

absl::Status RocksStore::CheckRoom() const {
  struct statvfs disk {};
  if (statvfs(options_.directory.c_str(), &disk) != 0) return absl::OkStatus();
  const uint64_t free_bytes = uint64_t{disk.f_bavail} * disk.f_frsize;
  if (free_bytes >= options_.min_free_bytes) return absl::OkStatus();
  return absl::ResourceExhaustedError(absl::StrFormat(
      "store %s: %d MiB left on its disk, %d MiB are needed: free some, or lower storage.max_bytes",
      options_.directory, free_bytes >> 20, options_.min_free_bytes >> 20));
}

absl::StatusOr<uint64_t> RocksStore::DurableSequence(const model::BatchId& id,
                                                     const Sequences& new_ones) {
  if (const auto it = new_ones.find({id.agent_id, id.boot_epoch}); it != new_ones.end()) {
    return it->second;
  }
  std::string value;
  const rocksdb::Status read =
      db_->Get(rocksdb::ReadOptions(), SequenceKey{id.agent_id, id.boot_epoch}.Encode(), &value);
  if (read.IsNotFound()) return 0;
  RETURN_IF_ERROR(FromRocks(read, "read a sequence"));
  return ParseSequence(value);
}

void RocksStore::AddTo(rocksdb::WriteBatch& write, const model::Batch& batch) {
  for (const KeyedBlock& block : MakeBlocks(batch, bucket_ns_)) write.Put(block.key, block.value);
  for (const model::AddressBinding& row : batch.addresses) {
    const std::string key = KeyOf(row, batch.tenant, batch.cluster).Encode();
    const std::string value = AddressValue(row);
    if (!latest_.Known(key, value, row.first_ns)) write.Put(key, value);
  }
}

absl::Status RocksStore::Write(rocksdb::WriteBatch& write, bool sync, bool flush) {
  absl::MutexLock lock(&write_mu_);
  if (write_failed_) return absl::ResourceExhaustedError("an earlier write to the store failed");
  rocksdb::WriteOptions options;
  options.sync = sync;
  rocksdb::Status status = db_->Write(options, &write);
  if (status.ok() && flush) status = db_->Flush(rocksdb::FlushOptions());
  write_failed_ = !status.ok();
  return FromRocks(status, "write to the store");
}

absl::Status RocksStore::Recover() {
  {
    absl::MutexLock lock(&write_mu_);
    if (!write_failed_) return absl::OkStatus();
  }
  // Opening writes a little: not before there is room for it.
  RETURN_IF_ERROR(TryWriting(options_.directory));
  absl::WriterMutexLock lock(&db_mu_);
  absl::MutexLock write_lock(&write_mu_);
  db_.reset();
  rocksdb::DB* raw = nullptr;
  const rocksdb::Options options = DatabaseOptions(options_, env_.get());
  rocksdb::Status opened = rocksdb::DB::Open(options, options_.directory, &raw);
  write_failed_ = !opened.ok();
  if (!opened.ok()) {
    LOG(ERROR) << "store: " << OpenFault(opened, options_.directory);
    opened = rocksdb::DB::OpenForReadOnly(options, options_.directory, &raw);
  }
  // What was readable a moment ago no longer is: only a new start can tell the reason.
  CHECK(opened.ok()) << OpenFault(opened, options_.directory);
  db_.reset(raw);
  if (write_failed_) return absl::ResourceExhaustedError("the store can be read only");
  LOG(INFO) << "store: writing goes on";
  return absl::OkStatus();
}

absl::Status RocksStore::Append(const std::vector<model::Batch>& batches) {
  absl::MutexLock lock(&mu_);
  RETURN_IF_ERROR(CheckRoom());
  RETURN_IF_ERROR(Recover());
  absl::ReaderMutexLock db_lock(&db_mu_);
  return AppendNew(batches);
}

absl::Status RocksStore::AppendNew(const std::vector<model::Batch>& batches) {
  rocksdb::WriteBatch write;
  Sequences sequences;
  std::vector<const model::Batch*> added;
  for (const model::Batch& batch : batches) {
    for (const std::string* text : {&batch.id.agent_id, &batch.tenant, &batch.cluster}) {
      if (text->size() > kMaxKeyText) return absl::InvalidArgumentError("a name is too long");
    }
    for (const model::AddressBinding& row : batch.addresses) {
      if (row.address.size() > kMaxKeyText) return absl::InvalidArgumentError("address too long");
    }
    ASSIGN_OR_RETURN(const uint64_t durable, DurableSequence(batch.id, sequences));
    if (batch.id.sequence <= durable) continue;
    AddTo(write, batch);
    sequences[{batch.id.agent_id, batch.id.boot_epoch}] = batch.id.sequence;
    added.push_back(&batch);
  }
  if (added.empty()) return absl::OkStatus();
  for (const auto& [run, sequence] : sequences) {
    write.Put(SequenceKey{run.first, run.second}.Encode(), SequenceValue(sequence));
  }

  Pass("append:before_write");
  RETURN_IF_ERROR(Write(write, /*sync=*/true, /*flush=*/false));
  Pass("append:after_write");
  for (const model::Batch* batch : added) {
    for (const model::AddressBinding& row : batch->addresses) {
      latest_.Remember(KeyOf(row, batch->tenant, batch->cluster).Encode(), AddressValue(row),
                       row.first_ns);
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<Store::Durable>> RocksStore::DurableSequences(
    std::string_view agent_id) {
  absl::ReaderMutexLock lock(&db_mu_);
  std::vector<Durable> out;
  const std::string prefix = SequenceKey::Prefix(agent_id);
  const std::unique_ptr<rocksdb::Iterator> iterator(db_->NewIterator(rocksdb::ReadOptions()));
  for (iterator->Seek(prefix); iterator->Valid() && iterator->key().starts_with(prefix);
       iterator->Next()) {
    const std::optional<SequenceKey> key = SequenceKey::Parse(iterator->key().ToStringView());
    if (!key) continue;
    ASSIGN_OR_RETURN(const uint64_t sequence, ParseSequence(iterator->value().ToStringView()));
    out.push_back({key->boot_epoch, sequence});
  }
  RETURN_IF_ERROR(FromRocks(iterator->status(), "read the sequences"));
  return out;
}

absl::Status RocksStore::Retain(int64_t now_ns) {
  absl::MutexLock lock(&retain_mu_);
  const int64_t horizon_ns = now_ns - options_.max_age_ns;
  {
    absl::MutexLock append_lock(&mu_);
    RETURN_IF_ERROR(Recover());
  }
  {
    // Appends go on beside it.
    absl::ReaderMutexLock db_lock(&db_mu_);
    Pass("retain:before_drop");
    const auto write =
        [this](rocksdb::WriteBatch& batch, bool flush)
            ABSL_NO_THREAD_SAFETY_ANALYSIS { return Write(batch, /*sync=*/false, flush); };
    RETURN_IF_ERROR(DropOldBuckets(
        *db_, horizon_ns, options_.max_bytes, [this] { return ApproximateBytes(); }, write));
    RETURN_IF_ERROR(DropOldAddresses(*db_, horizon_ns, kMaxAddressRows, write));
    Pass("retain:after_drop");
  }
  absl::MutexLock append_lock(&mu_);
  absl::ReaderMutexLock db_lock(&db_mu_);
  LoadAddresses();
  return absl::OkStatus();
}

uint64_t RocksStore::ApproximateBytes() const {
  uint64_t bytes = 0;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(options_.directory, error)) {
    // Files come and go underneath.
    std::error_code gone;
    const uint64_t size = entry.file_size(gone);
    if (!gone) bytes += size;
  }
  return bytes;
}

int64_t RocksStore::OldestNs() const {
  absl::ReaderMutexLock lock(&db_mu_);
  const absl::StatusOr<std::optional<OldestBlock>> oldest = FindOldest(*db_);
  return oldest.ok() && *oldest ? (*oldest)->first_ns : 0;
}

}  // namespace

int64_t BucketNsFor(uint64_t max_bytes) {
  if (max_bytes >= uint64_t{8} << 30) return kLongestBucketNs;
  if (max_bytes >= uint64_t{256} << 20) return kLongestBucketNs / 6;
  return kShortestBucketNs;
}

absl::StatusOr<std::unique_ptr<Store>> OpenRocksStore(const RocksStoreOptions& options) {
  RETURN_IF_ERROR(CheckDirectory(options.directory));
  std::unique_ptr<rocksdb::Env> env = MakeEnv(options);
  rocksdb::DB* raw = nullptr;
  const rocksdb::Status opened =
      rocksdb::DB::Open(DatabaseOptions(options, env.get()), options.directory, &raw);
  if (!opened.ok()) return OpenFault(opened, options.directory);
  auto store =
      std::make_unique<RocksStore>(options, std::move(env), std::unique_ptr<rocksdb::DB>(raw));
  RETURN_IF_ERROR(store->Initialise());
  return store;
}

}  // namespace kindling::storage
