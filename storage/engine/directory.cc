#include "storage/engine/directory.h"

#include <rocksdb/db.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "base/status_macros.h"
#include "storage/blocks/raw_batch.h"
#include "storage/engine/block_header.h"
#include "storage/engine/rocks_status.h"
#include "storage/engine/sequences.h"
#include "storage/keys.h"

namespace kindling::storage {
namespace {

std::unique_ptr<rocksdb::Iterator> NewIterator(Database& database, const Family& family) {
  rocksdb::ReadOptions options;
  options.fill_cache = false;
  return std::unique_ptr<rocksdb::Iterator>(database.db().NewIterator(options, family.handle()));
}

// What is damaged is left out. What could not be read for another reason may be read the next time,
// and must not be written over.
void NoteFault(const rocksdb::Status& status, Fault fault, Directory& out) {
  if (status.ok()) return;
  const absl::Status read = FromRocks(status, "read the store");
  fault.what += ": " + std::string(read.message());
  out.view.faults.push_back(std::move(fault));
  // A table may be missing where the database could only be opened for reading.
  if (status.IsCorruption() || status.IsPathNotFound() || !out.unreadable.ok()) return;
  out.unreadable = read;
}

Fault FaultIn(const BucketId& bucket, std::string_view what) {
  return {
      .what = absl::StrFormat("%s %s from %s", what, Name(bucket.tier), TimeText(bucket.start_ns)),
      .tier = bucket.tier,
      .start_ns = bucket.start_ns,
      .end_ns = bucket.end_ns()};
}

// A block whose summary cannot be read may still have a sound body.
std::shared_ptr<const Block> MakeBlock(const BlockKey& key, const BucketId& bucket,
                                       std::string_view value, std::vector<Fault>& faults) {
  auto block = std::make_shared<Block>();
  block->key = key;
  std::string_view summary;
  const std::optional<BlockHeader> header = ParseSummary(value, &summary);
  if (!header) {
    faults.push_back(FaultIn(bucket, "the summary of a block of"));
    block->first_ns = bucket.start_ns;
    block->last_ns = bucket.end_ns() - 1;
    block->has_filter = true;
    return block;
  }
  block->first_ns = header->first_ns;
  block->last_ns = header->last_ns;
  block->rows = header->rows;
  block->bytes = value.size() + header->filter_bytes + header->body_bytes;
  block->has_filter = header->filter_bytes > 0;
  if (key.block_class == BlockClass::kSpans) {
    absl::StatusOr<SpanSummary> spans = SpanSummary::Parse(summary);
    if (spans.ok()) block->spans = *std::move(spans);
  }
  return block;
}

// Goes from summary to summary without reading what is between them.
void LoadBlocks(Database& database, Bucket& bucket, Directory& out) {
  constexpr int kMaxSkips = 40;
  const auto iterator = NewIterator(database, *bucket.family);
  const std::string prefix(1, static_cast<char>(Table::kBlocks));
  std::string from = prefix;
  std::optional<BlockKey> last;
  for (int skips = 0; skips < kMaxSkips;) {
    iterator->Seek(from);
    if (!iterator->status().ok()) {
      NoteFault(iterator->status(), FaultIn(bucket.id, "a part of"), out);
      bucket.damaged = true;
      if (!last) return;
      // The database cannot read on from here: try further on, further away each time.
      BlockKey next = *last;
      next.number += uint64_t{1} << skips++;
      from = next.Encode();
      continue;
    }
    if (!iterator->Valid() || !iterator->key().starts_with(prefix)) return;
    const std::optional<BlockKey> key = BlockKey::Parse(iterator->key().ToStringView());
    if (!key) {
      out.view.faults.push_back(FaultIn(bucket.id, "a block with an unreadable key of"));
      from = iterator->key().ToString() + '\0';
      continue;
    }
    // Without its summary the first part that is there stands for the block.
    bucket.blocks.push_back(MakeBlock(
        *key, bucket.id,
        key->part == BlockPart::kSummary ? iterator->value().ToStringView() : std::string_view(),
        out.view.faults));
    bucket.bytes += bucket.blocks.back()->bytes;
    bucket.rows += bucket.blocks.back()->rows;
    out.next_number = std::max(out.next_number, key->number + 1);
    last = key;
    BlockKey next = *key;
    next.part = BlockPart::kSummary;
    ++next.number;
    from = next.Encode();
  }
}

void LoadNumbers(Database& database, Bucket& bucket, Directory& out) {
  const auto iterator = NewIterator(database, *bucket.family);
  const std::string prefix(1, static_cast<char>(Table::kChunks));
  for (iterator->Seek(prefix); iterator->Valid() && iterator->key().starts_with(prefix);
       iterator->Next()) {
    const auto key = ChunkKey::Parse(iterator->key().ToStringView());
    if (key) out.next_number = std::max(out.next_number, key->number + 1);
  }
  if (!iterator->status().ok()) bucket.damaged = true;
  NoteFault(iterator->status(), FaultIn(bucket.id, "chunks of"), out);
}

void LoadRawBatches(Database& database, Directory& out) {
  const auto iterator = NewIterator(database, database.raw());
  const int64_t now_ns = absl::GetCurrentTimeNanos();
  for (iterator->SeekToFirst(); iterator->Valid(); iterator->Next()) {
    const auto key = RawBatchKey::Parse(iterator->key().ToStringView());
    if (!key) continue;
    out.next_arrival = std::max(out.next_arrival, key->arrival + 1);
    absl::StatusOr<model::Batch> batch = DecodeRawBatch(iterator->value().ToStringView());
    if (!batch.ok()) {
      out.view.faults.push_back(
          {"a batch that was not sealed yet: " + std::string(batch.status().message())});
      continue;
    }
    auto kept = std::make_shared<const model::Batch>(*std::move(batch));
    const uint64_t memory_bytes = MemoryBytes(*kept);
    out.view.unsealed.push_back({.arrival = key->arrival,
                                 .bytes = iterator->value().size(),
                                 .arrived_ns = now_ns,
                                 .batch = std::move(kept),
                                 .memory_bytes = memory_bytes});
  }
  NoteFault(iterator->status(), {"batches that were not sealed yet"}, out);
}

void LoadDictionaries(Database& database, Directory& out) {
  auto dictionaries = std::make_shared<ZstdDictionaries>();
  const std::string prefix(1, static_cast<char>(Table::kDictionaries));
  const std::unique_ptr<rocksdb::Iterator> iterator(
      database.db().NewIterator(rocksdb::ReadOptions()));
  for (iterator->Seek(prefix); iterator->Valid() && iterator->key().starts_with(prefix);
       iterator->Next()) {
    const auto key = DictionaryKey::Parse(iterator->key().ToStringView());
    if (!key || !dictionaries->Add(key->number, iterator->value().ToStringView()).ok()) {
      out.view.faults.push_back({"a dictionary"});
      continue;
    }
    dictionaries->Use(key->number);
  }
  NoteFault(iterator->status(), {"dictionaries"}, out);
  out.view.dictionaries = std::move(dictionaries);
}

// Records are sent a little after their time.
constexpr int64_t kSendingNs = int64_t{60} * 1'000'000'000;

// What was acknowledged and has gone from the end of the log.
absl::Status NoteLostLog(Database& database, Directory& out) {
  if (!database.lost_log()) return absl::OkStatus();
  const int64_t until_ns = database.lost_log()->time_ns;
  const int64_t from_ns = LastWrittenNs(database.db());
  Fault fault{
      .what = absl::StrFormat("the end of its log: what was acknowledged until %s is missing",
                              TimeText(until_ns)),
      .end_ns = until_ns};
  if (from_ns != 0) {
    const double seconds = static_cast<double>(std::max<int64_t>(until_ns - from_ns, 0)) / 1e9;
    fault.what = absl::StrFormat(
        "the end of its log: records that were acknowledged in the %.1f s before %s are missing",
        seconds, TimeText(until_ns));
    fault.start_ns = std::min(from_ns, until_ns) - kSendingNs;
  }
  if (!database.is_writable()) {
    out.view.faults.push_back(std::move(fault));
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(AddNotes(*database.db().GetEnv(), database.db().GetName(), {fault}));
  database.GuardLog();
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Directory> LoadDirectory(Database& database) {
  Directory out;
  out.view.dropped_before_ns.fill(INT64_MIN);
  if (database.log_damaged()) {
    out.view.faults.push_back({"the end of its log: what was stored last may be missing"});
  }
  for (const Tier tier : kTiers) {
    std::string value;
    const rocksdb::Status read = database.db().Get(
        rocksdb::ReadOptions(), MetaKey{DroppedBeforeName(tier)}.Encode(), &value);
    if (read.IsNotFound()) continue;
    if (!read.ok()) {
      NoteFault(read, {"up to when records were dropped"}, out);
      break;
    }
    const std::optional<int64_t> time_ns = ParseTime(value);
    if (time_ns) out.view.dropped_before_ns[static_cast<size_t>(tier)] = *time_ns;
  }
  RETURN_IF_ERROR(NoteLostLog(database, out));
  for (Fault& note : ReadNotes(*database.db().GetEnv(), database.db().GetName())) {
    if (!out.view.IsPast(note)) out.view.faults.push_back(std::move(note));
  }
  LoadDictionaries(database, out);
  for (const auto& [id, family] : database.buckets()) {
    auto bucket = std::make_shared<Bucket>();
    bucket->id = id;
    bucket->family = family;
    bucket->written_ns = absl::GetCurrentTimeNanos();
    LoadBlocks(database, *bucket, out);
    if (id.tier == Tier::kSpans) LoadNumbers(database, *bucket, out);
    out.view.buckets.push_back(std::move(bucket));
  }
  LoadRawBatches(database, out);
  RETURN_IF_ERROR(out.unreadable);
  if (!out.view.faults.empty()) {
    // What was not found has numbers too, which must not be given again: no counter is as far as
    // the milliseconds of the day.
    const auto beyond = static_cast<uint64_t>(absl::GetCurrentTimeNanos() / 1'000'000);
    out.next_number = std::max(out.next_number, beyond);
    out.next_arrival = std::max(out.next_arrival, beyond);
  }
  return out;
}

}  // namespace kindling::storage
