#include "storage/keys.h"

#include <algorithm>

#include "base/byte_reader.h"

namespace kindling::storage {
namespace {

constexpr uint64_t kSignBit = uint64_t{1} << 63;

template <typename T>
void PutBig(std::string& out, T value) {
  for (int shift = 8 * (static_cast<int>(sizeof(T)) - 1); shift >= 0; shift -= 8) {
    out.push_back(static_cast<char>(value >> shift));
  }
}

// Flipping the sign bit makes negative times sort before positive ones.
void PutTime(std::string& out, int64_t ns) { PutBig(out, static_cast<uint64_t>(ns) ^ kSignBit); }

void PutText(std::string& out, std::string_view text) {
  text = text.substr(0, kMaxKeyText);
  PutBig(out, static_cast<uint16_t>(text.size()));
  out += text;
}

std::string Begin(Table table) { return std::string(1, static_cast<char>(table)); }

// Reads one key; ends in Done().
class KeyReader {
 public:
  explicit KeyReader(std::string_view bytes) : reader_(base::AsBytes(bytes)) {}

  uint8_t U8() { return reader_.U8(); }
  uint16_t U16() { return reader_.U16Be(); }
  uint32_t U32() { return reader_.U32Be(); }
  uint64_t U64() { return reader_.U64Be(); }
  int64_t Time() { return static_cast<int64_t>(reader_.U64Be() ^ kSignBit); }
  std::string Text() {
    const size_t size = reader_.U16Be();
    if (size > kMaxKeyText) too_long_ = true;
    return std::string(reader_.Text(size));
  }
  // True when every read was within the key and nothing is left of it.
  bool Done() const { return reader_.ok() && reader_.remaining() == 0 && !too_long_; }

 private:
  base::ByteReader reader_;
  bool too_long_ = false;
};

bool IsBlockTable(Table table) {
  return std::find(std::begin(kBlockTables), std::end(kBlockTables), table) !=
         std::end(kBlockTables);
}

}  // namespace

std::string MetaKey::Encode() const {
  std::string out = Begin(Table::kMeta);
  PutText(out, name);
  return out;
}

std::optional<MetaKey> MetaKey::Parse(std::string_view bytes) {
  KeyReader reader(bytes);
  MetaKey key;
  const auto table = static_cast<Table>(reader.U8());
  key.name = reader.Text();
  if (!reader.Done() || table != Table::kMeta) return std::nullopt;
  return key;
}

std::string SequenceKey::Prefix(std::string_view agent_id) {
  std::string out = Begin(Table::kSequences);
  PutText(out, agent_id);
  return out;
}

std::string SequenceKey::Encode() const {
  std::string out = Prefix(agent_id);
  PutBig(out, boot_epoch);
  return out;
}

std::optional<SequenceKey> SequenceKey::Parse(std::string_view bytes) {
  KeyReader reader(bytes);
  SequenceKey key;
  const auto table = static_cast<Table>(reader.U8());
  key.agent_id = reader.Text();
  key.boot_epoch = reader.U64();
  if (!reader.Done() || table != Table::kSequences) return std::nullopt;
  return key;
}

std::string BlockSpace::Encode() const {
  std::string out = Begin(table);
  PutText(out, tenant);
  PutText(out, cluster);
  return out;
}

std::string BlockSpace::BucketStart(int64_t bucket_start_ns) const {
  std::string out = Encode();
  PutTime(out, bucket_start_ns);
  return out;
}

std::string BlockKey::Encode() const {
  std::string out = space.BucketStart(bucket_start_ns);
  PutTime(out, first_ns);
  PutTime(out, last_ns);
  PutText(out, agent_id);
  PutBig(out, boot_epoch);
  PutBig(out, sequence);
  PutBig(out, part);
  return out;
}

std::optional<BlockKey> BlockKey::Parse(std::string_view bytes) {
  KeyReader reader(bytes);
  BlockKey key;
  key.space.table = static_cast<Table>(reader.U8());
  key.space.tenant = reader.Text();
  key.space.cluster = reader.Text();
  key.bucket_start_ns = reader.Time();
  key.first_ns = reader.Time();
  key.last_ns = reader.Time();
  key.agent_id = reader.Text();
  key.boot_epoch = reader.U64();
  key.sequence = reader.U64();
  key.part = reader.U32();
  if (!reader.Done() || !IsBlockTable(key.space.table)) return std::nullopt;
  return key;
}

std::string AddressKey::Prefix(std::string_view tenant, std::string_view cluster) {
  std::string out = Begin(Table::kAddresses);
  PutText(out, tenant);
  PutText(out, cluster);
  return out;
}

std::string AddressKey::Encode() const {
  std::string out = Prefix(tenant, cluster);
  PutText(out, address);
  PutBig(out, port);
  out.push_back(static_cast<char>(transport));
  PutTime(out, first_ns);
  return out;
}

std::optional<AddressKey> AddressKey::Parse(std::string_view bytes) {
  KeyReader reader(bytes);
  AddressKey key;
  const auto table = static_cast<Table>(reader.U8());
  key.tenant = reader.Text();
  key.cluster = reader.Text();
  key.address = reader.Text();
  key.port = reader.U16();
  key.transport = static_cast<model::Transport>(reader.U8());
  key.first_ns = reader.Time();
  if (!reader.Done() || table != Table::kAddresses) return std::nullopt;
  return key;
}

std::string PrefixEnd(std::string prefix) {
  while (!prefix.empty() && static_cast<uint8_t>(prefix.back()) == 0xff) prefix.pop_back();
  if (!prefix.empty()) prefix.back() = static_cast<char>(static_cast<uint8_t>(prefix.back()) + 1);
  return prefix;
}

}  // namespace kindling::storage
