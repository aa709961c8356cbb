#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "model/records.h"
#include "storage/store.h"

namespace rocksdb {
class DB;
class WriteBatch;
}  // namespace rocksdb

namespace kindling::storage {

// The last durable sequence of each run of each agent: value of a SequenceKey is the sequence and
// the time of day when it was written, both in eight bytes.

// Sequences that a write in preparation advances, by agent and epoch.
class NewSequences {
 public:
  explicit NewSequences(rocksdb::DB& db) : db_(db) {}

  // True when the batch is not stored yet; it is from then on.
  absl::StatusOr<bool> Advance(const model::Batch& batch);
  void AddTo(rocksdb::WriteBatch& write) const;

 private:
  struct Last {
    uint64_t sequence = 0;
    int64_t written_ns = 0;
    bool advanced = false;
  };
  rocksdb::DB& db_;
  std::map<std::pair<std::string, uint64_t>, Last> runs_;
};

absl::StatusOr<std::vector<Store::Durable>> ReadSequences(rocksdb::DB& db,
                                                          std::string_view agent_id);

// When the last sequence was written that is there; 0: none.
int64_t LastWrittenNs(rocksdb::DB& db);

// Forgets runs whose latest record is before `horizon_ns`: whatever they send again is too old to
// be kept. The latest run of each agent stays.
absl::Status DropOldSequences(rocksdb::DB& db, int64_t horizon_ns, rocksdb::WriteBatch& drop);

}  // namespace kindling::storage
