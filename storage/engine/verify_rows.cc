#include "storage/engine/verify_rows.h"

#include <rocksdb/db.h>

#include <memory>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

#include "absl/strings/str_format.h"
#include "model/content_hash.h"
#include "storage/engine/address_rows.h"
#include "storage/engine/chunk_values.h"
#include "storage/engine/rocks_status.h"
#include "storage/keys.h"

namespace kindling::storage {
namespace {

// Gives every row of a table to `check`, which says whether it is sound; counts those that are not.
template <typename Check>
void EachRow(rocksdb::DB& db, const View& view, rocksdb::ColumnFamilyHandle* family, Table table,
             const std::string& what, const TellFault& fault, Check check) {
  rocksdb::ReadOptions options;
  options.snapshot = view.snapshot.get();
  options.fill_cache = false;
  const std::string prefix(1, static_cast<char>(table));
  const std::unique_ptr<rocksdb::Iterator> iterator(db.NewIterator(options, family));
  uint64_t bad = 0;
  for (iterator->Seek(prefix); iterator->Valid() && iterator->key().starts_with(prefix);
       iterator->Next()) {
    if (!check(iterator->key().ToStringView(), iterator->value().ToStringView())) ++bad;
  }
  if (bad > 0) fault(absl::StrFormat("%d %s are damaged", bad, what));
  const absl::Status read = FromRocks(iterator->status(), "cannot read " + what);
  if (!read.ok()) fault(std::string(read.message()));
}

}  // namespace

void VerifyRows(rocksdb::DB& db, const View& view, const Bucket& bucket, const TellFault& fault) {
  rocksdb::ColumnFamilyHandle* const family = bucket.family->handle();
  const auto name = [&](std::string_view what) {
    return absl::StrFormat("%s of %s from %s", what, Name(bucket.id.tier),
                           TimeText(bucket.id.start_ns));
  };
  std::set<std::pair<Space, uint64_t>> blocks;
  for (const auto& block : bucket.blocks) {
    if (block->key.block_class == BlockClass::kSpans) {
      blocks.emplace(block->key.space, block->key.number);
    }
  }
  EachRow(db, view, family, Table::kAliases, name("rows of the alias index"), fault,
          [&](std::string_view row, std::string_view) {
            const std::optional<AliasKey> key = AliasKey::Parse(row);
            return key && blocks.contains({key->space, key->block_number});
          });
  EachRow(db, view, family, Table::kChunks, name("chunks"), fault,
          [](std::string_view row, std::string_view value) {
            const std::optional<ChunkKey> key = ChunkKey::Parse(row);
            return key && ParseChunk(*key, value);
          });
  rocksdb::ReadOptions options;
  options.snapshot = view.snapshot.get();
  EachRow(db, view, family, Table::kSpanChunks, name("rows of the chunk index"), fault,
          [&](std::string_view row, std::string_view) {
            const std::optional<SpanChunkKey> key = SpanChunkKey::Parse(row);
            rocksdb::PinnableSlice value;
            if (!key) return false;
            const ChunkKey of{key->space, key->first_ns, key->number};
            return db.Get(options, family, of.Encode(), &value).ok();
          });
  EachRow(db, view, family, Table::kContents, name("contents"), fault,
          [](std::string_view row, std::string_view value) {
            const std::optional<ContentKey> key = ContentKey::Parse(row);
            const auto content = key ? ParseContent(*key, value) : std::nullopt;
            return content && model::HashOf(content->bytes) == content->hash;
          });
}

void VerifyAddresses(rocksdb::DB& db, const View& view, const TellFault& fault) {
  EachRow(db, view, db.DefaultColumnFamily(), Table::kAddresses, "address bindings", fault,
          [](std::string_view row, std::string_view value) {
            return ParseAddressRow(row, value).has_value();
          });
}

}  // namespace kindling::storage
