#include "storage/keys.h"

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

std::string Begin(Table table, const Space& space) {
  std::string out = Begin(table);
  PutText(out, space.tenant);
  PutText(out, space.cluster);
  return out;
}

Space ReadSpace(KeyReader& reader) {
  Space space;
  space.tenant = reader.Text();
  space.cluster = reader.Text();
  return space;
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

std::string DictionaryKey::Encode() const {
  std::string out = Begin(Table::kDictionaries);
  PutBig(out, number);
  return out;
}

std::optional<DictionaryKey> DictionaryKey::Parse(std::string_view bytes) {
  KeyReader reader(bytes);
  DictionaryKey key;
  const auto table = static_cast<Table>(reader.U8());
  key.number = reader.U32();
  if (!reader.Done() || table != Table::kDictionaries) return std::nullopt;
  return key;
}

std::string RawBatchKey::Encode() const {
  std::string out = Begin(Table::kRawBatches);
  PutBig(out, arrival);
  return out;
}

std::optional<RawBatchKey> RawBatchKey::Parse(std::string_view bytes) {
  KeyReader reader(bytes);
  RawBatchKey key;
  const auto table = static_cast<Table>(reader.U8());
  key.arrival = reader.U64();
  if (!reader.Done() || table != Table::kRawBatches) return std::nullopt;
  return key;
}

std::string BlockKey::Encode() const {
  std::string out = Begin(Table::kBlocks, space);
  out.push_back(static_cast<char>(block_class));
  PutBig(out, number);
  out.push_back(static_cast<char>(part));
  return out;
}

std::optional<BlockKey> BlockKey::Parse(std::string_view bytes) {
  KeyReader reader(bytes);
  BlockKey key;
  const auto table = static_cast<Table>(reader.U8());
  key.space = ReadSpace(reader);
  key.block_class = static_cast<BlockClass>(reader.U8());
  key.number = reader.U64();
  key.part = static_cast<BlockPart>(reader.U8());
  if (!reader.Done() || table != Table::kBlocks) return std::nullopt;
  if (key.block_class < BlockClass::kSpans || key.block_class > BlockClass::kFlows ||
      key.part > BlockPart::kBody) {
    return std::nullopt;
  }
  return key;
}

std::string AliasKey::Prefix(const Space& space, uint64_t hash) {
  std::string out = Begin(Table::kAliases, space);
  PutBig(out, hash);
  return out;
}

std::string AliasKey::Encode() const {
  std::string out = Prefix(space, hash);
  PutBig(out, block_number);
  return out;
}

std::optional<AliasKey> AliasKey::Parse(std::string_view bytes) {
  KeyReader reader(bytes);
  AliasKey key;
  const auto table = static_cast<Table>(reader.U8());
  key.space = ReadSpace(reader);
  key.hash = reader.U64();
  key.block_number = reader.U64();
  if (!reader.Done() || table != Table::kAliases) return std::nullopt;
  return key;
}

std::string ChunkKey::Prefix(const Space& space) { return Begin(Table::kChunks, space); }

std::string ChunkKey::Encode() const {
  std::string out = Prefix(space);
  PutTime(out, first_ns);
  PutBig(out, number);
  return out;
}

std::optional<ChunkKey> ChunkKey::Parse(std::string_view bytes) {
  KeyReader reader(bytes);
  ChunkKey key;
  const auto table = static_cast<Table>(reader.U8());
  key.space = ReadSpace(reader);
  key.first_ns = reader.Time();
  key.number = reader.U64();
  if (!reader.Done() || table != Table::kChunks) return std::nullopt;
  return key;
}

std::string SpanChunkKey::Prefix(const Space& space, uint64_t span_id) {
  std::string out = Begin(Table::kSpanChunks, space);
  PutBig(out, span_id);
  return out;
}

std::string SpanChunkKey::Encode() const {
  std::string out = Prefix(space, span_id);
  PutTime(out, first_ns);
  PutBig(out, number);
  return out;
}

std::optional<SpanChunkKey> SpanChunkKey::Parse(std::string_view bytes) {
  KeyReader reader(bytes);
  SpanChunkKey key;
  const auto table = static_cast<Table>(reader.U8());
  key.space = ReadSpace(reader);
  key.span_id = reader.U64();
  key.first_ns = reader.Time();
  key.number = reader.U64();
  if (!reader.Done() || table != Table::kSpanChunks) return std::nullopt;
  return key;
}

std::string ContentKey::Encode() const {
  std::string out = Begin(Table::kContents, space);
  PutBig(out, high);
  PutBig(out, low);
  return out;
}

std::optional<ContentKey> ContentKey::Parse(std::string_view bytes) {
  KeyReader reader(bytes);
  ContentKey key;
  const auto table = static_cast<Table>(reader.U8());
  key.space = ReadSpace(reader);
  key.high = reader.U64();
  key.low = reader.U64();
  if (!reader.Done() || table != Table::kContents) return std::nullopt;
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
  PutText(out, host);
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
  key.host = reader.Text();
  key.first_ns = reader.Time();
  if (!reader.Done() || table != Table::kAddresses) return std::nullopt;
  return key;
}

std::string TimeValue(int64_t ns) {
  std::string out;
  PutTime(out, ns);
  return out;
}

std::optional<int64_t> ParseTime(std::string_view bytes) {
  KeyReader reader(bytes);
  const int64_t ns = reader.Time();
  if (!reader.Done()) return std::nullopt;
  return ns;
}

std::string PrefixEnd(std::string prefix) {
  while (!prefix.empty() && static_cast<uint8_t>(prefix.back()) == 0xff) prefix.pop_back();
  if (!prefix.empty()) prefix.back() = static_cast<char>(static_cast<uint8_t>(prefix.back()) + 1);
  return prefix;
}

}  // namespace kindling::storage
