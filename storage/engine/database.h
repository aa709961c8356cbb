#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/engine/bucket_id.h"
#include "storage/engine/families.h"
#include "storage/engine/log_guard.h"
#include "storage/rocks_store_options.h"

namespace rocksdb {
class Cache;
struct ColumnFamilyDescriptor;
class DB;
struct DBOptions;
class Env;
class EventListener;
class Statistics;
class Status;
class WriteBufferManager;
}  // namespace rocksdb

namespace kindling::storage {

// What outlives the database when it is opened anew: the caches and counters.
struct DatabaseResources {
  explicit DatabaseResources(const RocksStoreOptions& options);
  ~DatabaseResources();
  std::shared_ptr<rocksdb::Cache> cache;
  std::shared_ptr<rocksdb::WriteBufferManager> write_buffers;
  std::shared_ptr<rocksdb::Statistics> statistics;
  // Times that RocksDB began to hold writes up. Counted by the listener.
  std::shared_ptr<std::atomic<uint64_t>> write_stalls;
  std::shared_ptr<rocksdb::EventListener> stall_listener;
  std::unique_ptr<rocksdb::Env> env;
};

// One opened database: the default family (meta, sequences, addresses, dictionaries), the family of
// raw batches and one for each bucket.
//
// Threads: as RocksDB: safe from any, but nothing may be in use when it goes.
class Database {
 public:
  // Errors as OpenRocksStore's. `read_only` opens what is there without writing to it. Damaged
  // tables of buckets are set aside first: see damaged_tables.h.
  static absl::StatusOr<std::unique_ptr<Database>> Open(const RocksStoreOptions& options,
                                                        const DatabaseResources& resources,
                                                        bool read_only);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  rocksdb::DB& db() { return *db_; }
  const Family& raw() const { return *raw_; }
  // The buckets that were there when it was opened.
  const std::map<BucketId, std::shared_ptr<const Family>>& buckets() const { return buckets_; }

  // True when what was written last could not be read from the log.
  bool log_damaged() const { return log_damaged_; }

  bool is_writable() const { return is_writable_; }
  // Why it could only be opened for reading; empty: it was opened as it should be.
  const std::string& read_only_cause() const { return read_only_cause_; }

  // What the log held once and does not any more: see log_guard.h.
  const std::optional<LogGuard::Mark>& lost_log() const { return lost_log_; }

  // Notes what the manifest holds by now, so that the loss of it is found: see manifest_guard.h.
  void Guard();
  // Notes that everything written so far is durable. One at a time, and not beside a write.
  void GuardLog();

  absl::StatusOr<std::shared_ptr<const Family>> CreateBucket(const BucketId& id);
  // Forgets the bucket; its files go when nobody reads them any more.
  absl::Status DropBucket(const BucketId& id, const Family& family);

 private:
  Database(const RocksStoreOptions& options, const DatabaseResources& resources);

  using Families = std::vector<rocksdb::ColumnFamilyDescriptor>;
  rocksdb::Status Use(rocksdb::DBOptions db_options, const Families& families, bool read_only);
  // Reads a little of everything, so that a table that cannot be opened is found.
  rocksdb::Status Probe();
  // Reads the default family and raw, which RocksDB compacts by itself: where it cannot, writing
  // would stop again and again.
  rocksdb::Status ProbeOwn();

  const RocksStoreOptions& options_;
  const DatabaseResources& resources_;
  std::unique_ptr<rocksdb::DB> db_;
  bool log_damaged_ = false;
  bool is_writable_ = false;
  std::string read_only_cause_;
  std::shared_ptr<const Family> default_;
  std::shared_ptr<const Family> raw_;
  std::map<BucketId, std::shared_ptr<const Family>> buckets_;
  std::string guarded_;
  LogGuard log_guard_;
  std::optional<LogGuard::Mark> lost_log_;
};

}  // namespace kindling::storage
