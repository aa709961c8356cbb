#include "storage/engine/sequences.h"

#include <rocksdb/db.h>
#include <rocksdb/write_batch.h>

#include <algorithm>
#include <memory>

#include "absl/time/clock.h"
#include "base/byte_reader.h"
#include "base/status_macros.h"
#include "storage/engine/rocks_status.h"
#include "storage/keys.h"

namespace kindling::storage {
namespace {

struct Value {
  uint64_t sequence = 0;
  int64_t written_ns = 0;
};

std::string EncodeValue(uint64_t sequence, int64_t written_ns) {
  std::string out;
  for (int shift = 56; shift >= 0; shift -= 8) out.push_back(static_cast<char>(sequence >> shift));
  return out + TimeValue(written_ns);
}

absl::StatusOr<Value> ParseValue(std::string_view bytes) {
  if (bytes.size() == 16) {
    base::ByteReader reader(base::AsBytes(bytes));
    const uint64_t sequence = reader.U64Be();
    if (const auto written_ns = ParseTime(bytes.substr(8))) return Value{sequence, *written_ns};
  }
  return absl::DataLossError("a stored sequence is damaged");
}

}  // namespace

absl::StatusOr<bool> NewSequences::Advance(const model::Batch& batch) {
  const auto [it, added] = runs_.try_emplace({batch.id.agent_id, batch.id.boot_epoch});
  Last& last = it->second;
  if (added) {
    std::string value;
    const rocksdb::Status read =
        db_.Get(rocksdb::ReadOptions(),
                SequenceKey{batch.id.agent_id, batch.id.boot_epoch}.Encode(), &value);
    if (!read.IsNotFound()) {
      RETURN_IF_ERROR(FromRocks(read, "read a sequence"));
      ASSIGN_OR_RETURN(const Value stored, ParseValue(value));
      last = {.sequence = stored.sequence, .written_ns = stored.written_ns};
    }
  }
  if (batch.id.sequence <= last.sequence) return false;
  last.sequence = batch.id.sequence;
  last.written_ns = absl::GetCurrentTimeNanos();
  last.advanced = true;
  return true;
}

void NewSequences::AddTo(rocksdb::WriteBatch& write) const {
  for (const auto& [run, last] : runs_) {
    if (!last.advanced) continue;
    write.Put(SequenceKey{run.first, run.second}.Encode(),
              EncodeValue(last.sequence, last.written_ns));
  }
}

absl::StatusOr<std::vector<Store::Durable>> ReadSequences(rocksdb::DB& db,
                                                          std::string_view agent_id) {
  std::vector<Store::Durable> out;
  const std::string prefix = SequenceKey::Prefix(agent_id);
  const std::unique_ptr<rocksdb::Iterator> iterator(db.NewIterator(rocksdb::ReadOptions()));
  for (iterator->Seek(prefix); iterator->Valid() && iterator->key().starts_with(prefix);
       iterator->Next()) {
    const std::optional<SequenceKey> key = SequenceKey::Parse(iterator->key().ToStringView());
    if (!key) continue;
    ASSIGN_OR_RETURN(const Value value, ParseValue(iterator->value().ToStringView()));
    out.push_back({key->boot_epoch, value.sequence});
  }
  RETURN_IF_ERROR(FromRocks(iterator->status(), "read the sequences"));
  return out;
}

int64_t LastWrittenNs(rocksdb::DB& db) {
  const std::string prefix(1, static_cast<char>(Table::kSequences));
  const std::unique_ptr<rocksdb::Iterator> iterator(db.NewIterator(rocksdb::ReadOptions()));
  int64_t last_ns = 0;
  for (iterator->Seek(prefix); iterator->Valid() && iterator->key().starts_with(prefix);
       iterator->Next()) {
    const absl::StatusOr<Value> value = ParseValue(iterator->value().ToStringView());
    if (value.ok()) last_ns = std::max(last_ns, value->written_ns);
  }
  return last_ns;
}

absl::Status DropOldSequences(rocksdb::DB& db, int64_t horizon_ns, rocksdb::WriteBatch& drop) {
  const std::string prefix(1, static_cast<char>(Table::kSequences));
  const std::unique_ptr<rocksdb::Iterator> iterator(db.NewIterator(rocksdb::ReadOptions()));
  std::string before;  // an old run, to go if a later run of the agent follows
  std::string before_agent;
  for (iterator->Seek(prefix); iterator->Valid() && iterator->key().starts_with(prefix);
       iterator->Next()) {
    const std::optional<SequenceKey> key = SequenceKey::Parse(iterator->key().ToStringView());
    const absl::StatusOr<Value> value = ParseValue(iterator->value().ToStringView());
    if (!key || !value.ok()) continue;
    if (!before.empty() && before_agent == key->agent_id) drop.Delete(before);
    const bool old = value->written_ns < horizon_ns;
    before = old ? iterator->key().ToString() : "";
    before_agent = key->agent_id;
  }
  return FromRocks(iterator->status(), "read the sequences");
}

}  // namespace kindling::storage
