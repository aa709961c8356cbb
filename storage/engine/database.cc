#include "storage/engine/database.h"

#include <glog/logging.h>
#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/file_system.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/listener.h>
#include <rocksdb/options.h>
#include <rocksdb/statistics.h>
#include <rocksdb/table.h>
#include <rocksdb/write_buffer_manager.h>

#include <algorithm>
#include <climits>
#include <filesystem>
#include <utility>

#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "base/status_macros.h"
#include "storage/engine/damaged_tables.h"
#include "storage/engine/manifest_guard.h"
#include "storage/engine/rocks_log.h"
#include "storage/engine/rocks_status.h"

namespace kindling::storage {
namespace {

namespace fs = std::filesystem;

constexpr char kRawFamily[] = "raw";

// Memory and the log are part of the byte cap, so a small store has small ones.
uint64_t WriteBufferBytes(const RocksStoreOptions& options) {
  return std::clamp<uint64_t>(options.max_bytes / 32, uint64_t{512} << 10, uint64_t{32} << 20);
}

class StallListener final : public rocksdb::EventListener {
 public:
  explicit StallListener(std::shared_ptr<std::atomic<uint64_t>> stalls)
      : stalls_(std::move(stalls)) {}
  void OnStallConditionsChanged(const rocksdb::WriteStallInfo& info) override {
    if (info.condition.prev == rocksdb::WriteStallCondition::kNormal) ++*stalls_;
  }

 private:
  const std::shared_ptr<std::atomic<uint64_t>> stalls_;
};

rocksdb::BlockBasedTableOptions TableOptions(const DatabaseResources& resources) {
  rocksdb::BlockBasedTableOptions out;
  out.block_size = 32 << 10;
  out.block_cache = resources.cache;
  out.cache_index_and_filter_blocks = true;
  out.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  return out;
}

rocksdb::ColumnFamilyOptions FamilyOptions(const RocksStoreOptions& options,
                                           const DatabaseResources& resources) {
  rocksdb::ColumnFamilyOptions out;
  // Blocks are compressed already, by column.
  out.compression = rocksdb::kNoCompression;
  out.write_buffer_size = WriteBufferBytes(options);
  out.target_file_size_base = out.write_buffer_size;
  out.max_bytes_for_level_base = 4 * out.write_buffer_size;
  out.table_factory.reset(rocksdb::NewBlockBasedTableFactory(TableOptions(resources)));
  return out;
}

// Of a bucket: its blocks are appended by number and never overwritten, so compaction while it
// fills would copy them for nothing; merging replaces small ones, and Compact tidies up when it has
// ended.
rocksdb::ColumnFamilyOptions BucketOptions(const RocksStoreOptions& options,
                                           const DatabaseResources& resources) {
  rocksdb::ColumnFamilyOptions out = FamilyOptions(options, resources);
  out.disable_auto_compactions = true;
  out.level0_slowdown_writes_trigger = INT_MAX;
  out.level0_stop_writes_trigger = INT_MAX;
  out.soft_pending_compaction_bytes_limit = 0;
  out.hard_pending_compaction_bytes_limit = 0;
  return out;
}

rocksdb::DBOptions DatabaseOptions(const RocksStoreOptions& options,
                                   const DatabaseResources& resources) {
  rocksdb::DBOptions out;
  out.create_if_missing = true;
  out.create_missing_column_families = true;
  out.write_buffer_manager = resources.write_buffers;
  out.statistics = resources.statistics;
  out.listeners = {resources.stall_listener};
  out.max_total_wal_size = 4 * WriteBufferBytes(options);
  out.max_background_jobs = 2;
  // RocksDB's own attempts to go on after a failed write abort in Debian's build, which asserts.
  out.max_bgerror_resume_count = 0;
  out.max_open_files = 512;
  out.info_log = MakeRocksLogger();
  out.max_manifest_file_size = 4 << 20;
  out.manifest_preallocation_size = 64 << 10;
  // What was synced is whole; a record torn by a crash, or by a write that failed, ends its log.
  out.wal_recovery_mode = rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords;
  out.env = resources.env.get();
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

// Says nothing of free space, or RocksDB would go on by itself once there is some after a failed
// write, which aborts in Debian's build: it asserts.
class QuietEnv final : public rocksdb::EnvWrapper {
 public:
  explicit QuietEnv(std::unique_ptr<rocksdb::Env> owned)
      : EnvWrapper(owned != nullptr ? owned.get() : rocksdb::Env::Default()),
        owned_(std::move(owned)) {}

  rocksdb::Status GetFreeSpace(const std::string&, uint64_t*) override {
    return rocksdb::Status::NotSupported("free space");
  }
  static const char* kClassName() { return "KindlingEnv"; }
  const char* Name() const override { return kClassName(); }

 private:
  const std::unique_ptr<rocksdb::Env> owned_;
};

absl::Status ForeignFamily(const std::string& name, const std::string& directory) {
  return absl::FailedPreconditionError(absl::StrFormat(
      "%s holds a database with the unknown part \"%s\": run the newer kindling-controller that "
      "wrote it, or set another data_directory",
      directory, name));
}

}  // namespace

DatabaseResources::DatabaseResources(const RocksStoreOptions& options)
    : cache(rocksdb::NewLRUCache(options.memory_bytes / 16 * 3)),
      write_buffers(std::make_shared<rocksdb::WriteBufferManager>(
          std::min(options.memory_bytes / 8, 4 * WriteBufferBytes(options)))),
      statistics(rocksdb::CreateDBStatistics()),
      write_stalls(std::make_shared<std::atomic<uint64_t>>(0)),
      stall_listener(std::make_shared<StallListener>(write_stalls)) {
  statistics->set_stats_level(rocksdb::StatsLevel::kExceptHistogramOrTimers);
  env = std::make_unique<QuietEnv>(options.testing.file_system == nullptr
                                       ? nullptr
                                       : rocksdb::NewCompositeEnv(options.testing.file_system));
}

DatabaseResources::~DatabaseResources() = default;

absl::StatusOr<std::unique_ptr<Database>> Database::Open(const RocksStoreOptions& options,
                                                         const DatabaseResources& resources,
                                                         bool read_only) {
  RETURN_IF_ERROR(CheckDirectory(options.directory));
  rocksdb::DBOptions db_options = DatabaseOptions(options, resources);
  std::vector<std::string> names;
  std::error_code error;
  if (fs::exists(fs::path(options.directory) / "CURRENT", error)) {
    RETURN_IF_ERROR(CheckManifest(*db_options.env, options.directory));
    const rocksdb::Status listed =
        rocksdb::DB::ListColumnFamilies(db_options, options.directory, &names);
    if (!listed.ok()) return OpenFault(listed, options.directory);
  } else {
    names = {rocksdb::kDefaultColumnFamilyName};
  }
  if (std::find(names.begin(), names.end(), kRawFamily) == names.end()) names.push_back(kRawFamily);

  Families families;
  for (const std::string& name : names) {
    const bool own = name == rocksdb::kDefaultColumnFamilyName || name == kRawFamily;
    if (!own && !BucketId::Parse(name)) return ForeignFamily(name, options.directory);
    families.emplace_back(
        name, own ? FamilyOptions(options, resources) : BucketOptions(options, resources));
  }
  std::unique_ptr<Database> out(new Database(options, resources));
  rocksdb::Status opened = out->Use(db_options, families, read_only);
  const rocksdb::Status sound = opened.ok() && !read_only ? out->Probe() : opened;
  if (!read_only && (sound.IsCorruption() || sound.IsPathNotFound())) {
    // Of the log no more is known once it has been read.
    const bool log_damaged = opened.ok() && out->log_damaged_;
    out = std::unique_ptr<Database>(new Database(options, resources));
    const absl::StatusOr<DamagedTables> damaged =
        SetDamagedTablesAside(db_options, options.directory, families);
    if (!damaged.ok()) {
      LOG(ERROR) << "store: " << damaged.status();
      return OpenFault(sound, options.directory);
    }
    std::string own = damaged->own;
    opened = own.empty() ? out->Use(db_options, families, /*read_only=*/false) : sound;
    if (opened.ok() && own.empty()) {
      const rocksdb::Status probed = out->ProbeOwn();
      if (probed.IsCorruption()) own = std::string(FromRocks(probed, "its own records").message());
    }
    if (!own.empty()) {
      out = std::unique_ptr<Database>(new Database(options, resources));
      out->read_only_cause_ = absl::StrFormat(
          "the store is damaged and can only be read (%s): restore a copy of it, or move it away "
          "to begin an empty one",
          own);
      db_options.paranoid_checks = false;
      opened = out->Use(db_options, families, /*read_only=*/true);
    }
    out->log_damaged_ |= log_damaged;
  }
  if (!opened.ok()) return OpenFault(opened, options.directory);
  const std::optional<LogGuard::Mark> durable = out->log_guard_.Read();
  if (durable && out->db_->GetLatestSequenceNumber() < durable->sequence) out->lost_log_ = durable;
  if (!read_only && out->read_only_cause_.empty()) out->Guard();
  return out;
}

rocksdb::Status Database::Use(rocksdb::DBOptions db_options, const Families& families,
                              bool read_only) {
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* raw = nullptr;
  const std::string& directory = options_.directory;
  const auto open = [&] {
    return read_only ? rocksdb::DB::OpenForReadOnly(db_options, directory, families, &handles, &raw)
                     : rocksdb::DB::Open(db_options, directory, families, &handles, &raw);
  };
  rocksdb::Status opened = open();
  log_damaged_ = opened.IsCorruption();
  if (log_damaged_) {
    // Perhaps it is only the log, and only from some record on. RocksDB's log line says what it
    // drops.
    db_options.wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;
    opened = open();
  }
  if (!opened.ok()) return opened;
  db_.reset(raw);
  is_writable_ = !read_only;
  for (size_t i = 0; i < handles.size(); ++i) {
    auto family = std::make_shared<const Family>(*raw, handles[i]);
    if (families[i].name == rocksdb::kDefaultColumnFamilyName) {
      default_ = std::move(family);
    } else if (families[i].name == kRawFamily) {
      raw_ = std::move(family);
    } else {
      buckets_.emplace(*BucketId::Parse(families[i].name), std::move(family));
    }
  }
  return opened;
}

rocksdb::Status Database::ProbeOwn() {
  for (const Family* family : {default_.get(), raw_.get()}) {
    rocksdb::ReadOptions options;
    options.fill_cache = false;
    const std::unique_ptr<rocksdb::Iterator> iterator(db_->NewIterator(options, family->handle()));
    for (iterator->SeekToFirst(); iterator->Valid();) iterator->Next();
    if (!iterator->status().ok()) return iterator->status();
  }
  return rocksdb::Status::OK();
}

rocksdb::Status Database::Probe() {
  if (rocksdb::Status own = ProbeOwn(); !own.ok()) return own;
  for (const auto& [id, family] : buckets_) {
    // Opens every table, but those of deeper levels.
    const std::unique_ptr<rocksdb::Iterator> iterator(
        db_->NewIterator(rocksdb::ReadOptions(), family->handle()));
    iterator->SeekToFirst();
    if (!iterator->status().ok()) return iterator->status();
  }
  return rocksdb::Status::OK();
}

void Database::Guard() {
  const absl::Status guarded = GuardManifest(*db_, guarded_);
  // The guard of before stays, which says less.
  if (!guarded.ok()) LOG(WARNING) << "store: " << guarded;
}

void Database::GuardLog() {
  log_guard_.Write(
      {.sequence = db_->GetLatestSequenceNumber(), .time_ns = absl::ToUnixNanos(absl::Now())});
}

Database::Database(const RocksStoreOptions& options, const DatabaseResources& resources)
    : options_(options), resources_(resources), log_guard_(*resources.env, options.directory) {}

Database::~Database() {
  buckets_.clear();
  raw_.reset();
  default_.reset();
}

absl::StatusOr<std::shared_ptr<const Family>> Database::CreateBucket(const BucketId& id) {
  rocksdb::ColumnFamilyHandle* handle = nullptr;
  RETURN_IF_ERROR(FromRocks(
      db_->CreateColumnFamily(BucketOptions(options_, resources_), id.FamilyName(), &handle),
      "make a bucket"));
  return std::make_shared<const Family>(*db_, handle);
}

absl::Status Database::DropBucket(const BucketId& id, const Family& family) {
  buckets_.erase(id);
  return FromRocks(db_->DropColumnFamily(family.handle()), "drop a bucket");
}

}  // namespace kindling::storage
