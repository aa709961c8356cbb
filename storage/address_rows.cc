#include "storage/address_rows.h"

#include "base/byte_reader.h"
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
          .first_ns = row.first_ns};
}

std::string AddressValue(const model::AddressBinding& row) {
  std::string out(1, static_cast<char>(kVersion));
  PutText(out, row.workload);
  PutText(out, row.workload_kind);
  PutText(out, row.host);
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
  row.workload = reader.Text(ReadVarint(reader));
  row.workload_kind = reader.Text(ReadVarint(reader));
  row.host = reader.Text(ReadVarint(reader));
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

}  // namespace kindling::storage
