#include "storage/engine/address_rows.h"

#include <rocksdb/db.h>
#include <rocksdb/write_batch.h>

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "base/byte_reader.h"
#include "base/status_macros.h"
#include "storage/engine/rocks_status.h"
#include "storage/varint.h"

namespace kindling::storage {
namespace {

// On disk: a new form of the value gets a new number, the old one stays readable.
constexpr uint8_t kVersion = 1;

void PutText(std::string& out, std::string_view text) {
  PutVarint(out, text.size());
  out += text;
}

// The key without its time.
std::string_view AddressOf(std::string_view key) { return key.substr(0, key.size() - 8); }

}  // namespace

AddressKey KeyOf(const model::AddressBinding& row, std::string_view tenant,
                 std::string_view cluster) {
  return {.tenant = std::string(tenant),
          .cluster = std::string(cluster),
          .address = row.address,
          .port = row.port,
          .transport = row.transport,
          .host = row.host,
          .first_ns = row.first_ns};
}

std::string AddressValue(const model::AddressBinding& row) {
  std::string out(1, static_cast<char>(kVersion));
  PutText(out, row.workload);
  PutText(out, row.workload_kind);
  return out;
}

std::optional<model::AddressBinding> ParseAddressRow(std::string_view key, std::string_view value) {
  const std::optional<AddressKey> parsed = AddressKey::Parse(key);
  base::ByteReader reader(base::AsBytes(value));
  if (!parsed || reader.U8() != kVersion) return std::nullopt;
  model::AddressBinding row;
  row.first_ns = parsed->first_ns;
  row.address = parsed->address;
  row.port = parsed->port;
  row.transport = parsed->transport;
  row.host = parsed->host;
  row.workload = reader.Text(ReadVarint(reader));
  row.workload_kind = reader.Text(ReadVarint(reader));
  if (!reader.ok() || reader.remaining() != 0) return std::nullopt;
  return row;
}

bool LatestAddresses::Known(const std::string& key, std::string_view value,
                            int64_t first_ns) const {
  const auto it = latest_.find(AddressOf(key));
  return it != latest_.end() && it->second.value == value && it->second.first_ns <= first_ns;
}

void LatestAddresses::Remember(const std::string& key, std::string_view value, int64_t first_ns) {
  auto it = latest_.find(AddressOf(key));
  if (it == latest_.end()) {
    if (latest_.size() >= kMaxAddresses) return;
    it = latest_.try_emplace(std::string(AddressOf(key))).first;
  } else if (it->second.first_ns > first_ns) {
    return;
  }
  it->second = {first_ns, std::string(value)};
}

absl::Status DropOldAddresses(rocksdb::DB& db, int64_t horizon_ns, size_t max_rows,
                              rocksdb::WriteBatch& drop) {
  const std::string begin(1, static_cast<char>(Table::kAddresses));
  std::vector<std::pair<int64_t, std::string>> kept;
  AddressKey before;
  std::string before_bytes;
  const std::unique_ptr<rocksdb::Iterator> iterator(db.NewIterator(rocksdb::ReadOptions()));
  for (iterator->Seek(begin); iterator->Valid() && iterator->key().starts_with(begin);
       iterator->Next()) {
    const std::optional<AddressKey> key = AddressKey::Parse(iterator->key().ToStringView());
    if (!key) continue;
    AddressKey same = before;
    same.first_ns = key->first_ns;
    if (!before_bytes.empty() && same == *key && key->first_ns <= horizon_ns) {
      drop.Delete(before_bytes);
      if (!kept.empty()) kept.pop_back();
    }
    before = *key;
    before_bytes = iterator->key().ToString();
    kept.emplace_back(key->first_ns, before_bytes);
  }
  RETURN_IF_ERROR(FromRocks(iterator->status(), "read the store"));
  if (kept.size() > max_rows) {
    const auto excess = kept.begin() + static_cast<ptrdiff_t>(kept.size() - max_rows);
    std::nth_element(kept.begin(), excess, kept.end());
    for (auto it = kept.begin(); it != excess; ++it) drop.Delete(it->second);
  }
  return absl::OkStatus();
}

}  // namespace kindling::storage
