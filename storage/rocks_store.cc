#include "storage/rocks_store.h"

#include <glog/logging.h>
#include <rocksdb/db.h>
#include <rocksdb/options.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <map>
#include <random>
#include <utility>

#include "absl/strings/str_format.h"
#include "absl/synchronization/mutex.h"
#include "base/status_macros.h"
#include "storage/address_rows.h"
#include "storage/batch_blocks.h"
#include "storage/keys.h"
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

rocksdb::Options DatabaseOptions(const RocksStoreOptions& options) {
  rocksdb::Options out;
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
  out.max_open_files = 512;
  out.keep_log_file_num = 2;
  out.max_log_file_size = 1 << 20;
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
    if (name.ends_with(".sst") || name.starts_with("MANIFEST-")) {
      return OpenFault(rocksdb::Status::Corruption("CURRENT is missing"), directory);
    }
  }
  return absl::OkStatus();
}

class RocksStore final : public Store {
 public:
  RocksStore(const RocksStoreOptions& options, std::unique_ptr<rocksdb::DB> db)
      : options_(options), bucket_ns_(BucketNsFor(options.max_bytes)), db_(std::move(db)) {}

  // Checks the format, or makes a new store.
  absl::Status Initialise();

  absl::Status Append(const std::vector<model::Batch>& batches) override;
  absl::StatusOr<std::vector<Durable>> DurableSequences(std::string_view agent_id) override;
  absl::StatusOr<ScanReport> Scan(const ScanPlan& plan,
                                  const std::function<bool(const model::Batch&)>& visit) override {
    return ScanBlocks(*db_, plan, visit);
  }
  absl::Status Retain(int64_t now_ns) override;
  const std::string& id() const override { return id_; }
  uint64_t ApproximateBytes() const override;
  int64_t OldestNs() const override;

 private:
  using Sequences = std::map<std::pair<std::string, uint64_t>, uint64_t>;

  absl::Status CheckRoom() const;
  absl::StatusOr<uint64_t> DurableSequence(const model::BatchId& id, const Sequences& new_ones);
  void AddTo(rocksdb::WriteBatch& write, const model::Batch& batch)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status LoadAddresses() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const RocksStoreOptions options_;
  const int64_t bucket_ns_;
  const std::unique_ptr<rocksdb::DB> db_;
  std::string id_;

  absl::Mutex mu_;  // one append at a time
  LatestAddresses latest_ ABSL_GUARDED_BY(mu_);
  bool write_failed_ ABSL_GUARDED_BY(mu_) = false;
  absl::Mutex retain_mu_;
};

absl::Status RocksStore::Initialise() {
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
    rocksdb::WriteOptions synced;
    synced.sync = true;
    return FromRocks(db_->Write(synced, &write), "write to the new store");
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
  absl::MutexLock lock(&mu_);
  return LoadAddresses();
}

absl::Status RocksStore::LoadAddresses() {
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
  return absl::OkStatus();
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

absl::Status RocksStore::Append(const std::vector<model::Batch>& batches) {
  absl::MutexLock lock(&mu_);
  RETURN_IF_ERROR(CheckRoom());
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

  if (write_failed_) {
    // RocksDB refuses writes after one has failed until it is told to try again.
    RETURN_IF_ERROR(FromRocks(db_->Resume(), "resume writing to the store"));
    write_failed_ = false;
  }
  rocksdb::WriteOptions synced;
  synced.sync = true;
  const rocksdb::Status written = db_->Write(synced, &write);
  if (!written.ok()) {
    write_failed_ = true;
    return FromRocks(written, "write to the store");
  }
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
  RETURN_IF_ERROR(
      DropOldBuckets(*db_, horizon_ns, options_.max_bytes, [this] { return ApproximateBytes(); }));
  absl::MutexLock append_lock(&mu_);
  RETURN_IF_ERROR(DropOldAddresses(*db_, horizon_ns, kMaxAddressRows));
  return LoadAddresses();
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
  rocksdb::DB* raw = nullptr;
  const rocksdb::Status opened =
      rocksdb::DB::Open(DatabaseOptions(options), options.directory, &raw);
  if (!opened.ok()) return OpenFault(opened, options.directory);
  auto store = std::make_unique<RocksStore>(options, std::unique_ptr<rocksdb::DB>(raw));
  RETURN_IF_ERROR(store->Initialise());
  return store;
}

}  // namespace kindling::storage
