#include "storage/engine/chunk_values.h"

#include <zstd.h>

#include "base/byte_reader.h"
#include "storage/varint.h"

namespace kindling::storage {
namespace {

constexpr uint8_t kVersion = 1;
constexpr int kZstdLevel = 3;
// Of one chunk or content, when it is unpacked.
constexpr size_t kMaxBytes = 64 << 20;

// Packed bytes: varint raw size, then zstd, or the bytes themselves where that is not shorter.
void PutPacked(std::string& out, std::string_view bytes) {
  PutVarint(out, bytes.size());
  const size_t mark = out.size();
  out.resize(mark + ZSTD_compressBound(bytes.size()));
  const size_t size =
      ZSTD_compress(out.data() + mark, out.size() - mark, bytes.data(), bytes.size(), kZstdLevel);
  out.resize(mark + (ZSTD_isError(size) ? 0 : size));
  if (ZSTD_isError(size) || size >= bytes.size()) {
    out.resize(mark);
    out += bytes;
  }
}

bool TakePacked(base::ByteReader& reader, std::string& bytes) {
  const uint64_t size = ReadVarint(reader);
  const std::string_view packed = reader.Text(reader.remaining());
  if (!reader.ok() || size > kMaxBytes || packed.size() > size) return false;
  if (packed.size() == size) {
    bytes = packed;
    return true;
  }
  // What zstd itself states is checked first, so that a lie costs no memory.
  if (ZSTD_getFrameContentSize(packed.data(), packed.size()) != size) return false;
  bytes.resize(size);
  return ZSTD_decompress(bytes.data(), size, packed.data(), packed.size()) == size;
}

}  // namespace

void AddChunks(const Space& space, const std::vector<model::Chunk>& chunks,
               std::atomic<uint64_t>& next_number, std::vector<KeyValue>& out) {
  for (const model::Chunk& chunk : chunks) {
    const uint64_t number = next_number++;
    std::string value(1, static_cast<char>(kVersion));
    value.push_back(static_cast<char>(chunk.kind));
    PutVarint(value, chunk.span_id);
    PutVarint(value, static_cast<uint64_t>(chunk.last_ns) - static_cast<uint64_t>(chunk.first_ns));
    PutVarint(value, chunk.pid);
    PutVarint(value, chunk.tid);
    PutVarint(value, chunk.host.size());
    value += chunk.host;
    PutPacked(value, chunk.bytes);
    out.push_back({ChunkKey{space, chunk.first_ns, number}.Encode(), std::move(value)});
    if (chunk.span_id != 0) {
      out.push_back({SpanChunkKey{space, chunk.span_id, chunk.first_ns, number}.Encode(), ""});
    }
  }
}

void AddContents(const Space& space, const std::vector<model::Content>& contents,
                 std::vector<KeyValue>& out) {
  for (const model::Content& content : contents) {
    std::string value(1, static_cast<char>(kVersion));
    PutVarint(value, ZigZag(content.time_ns));
    PutPacked(value, content.bytes);
    out.push_back(
        {ContentKey{space, content.hash.high, content.hash.low}.Encode(), std::move(value)});
  }
}

std::optional<model::Chunk> ParseChunk(const ChunkKey& key, std::string_view value) {
  base::ByteReader reader(base::AsBytes(value));
  if (reader.U8() != kVersion) return std::nullopt;
  model::Chunk out;
  out.kind = static_cast<model::ChunkKind>(reader.U8());
  out.span_id = ReadVarint(reader);
  out.first_ns = key.first_ns;
  out.last_ns = static_cast<int64_t>(static_cast<uint64_t>(key.first_ns) + ReadVarint(reader));
  const uint64_t pid = ReadVarint(reader);
  const uint64_t tid = ReadVarint(reader);
  if (pid > UINT32_MAX || tid > UINT32_MAX) return std::nullopt;
  out.pid = static_cast<uint32_t>(pid);
  out.tid = static_cast<uint32_t>(tid);
  out.host = reader.Text(ReadVarint(reader));
  if (!TakePacked(reader, out.bytes)) return std::nullopt;
  return out;
}

std::optional<model::Content> ParseContent(const ContentKey& key, std::string_view value) {
  base::ByteReader reader(base::AsBytes(value));
  if (reader.U8() != kVersion) return std::nullopt;
  model::Content out{.hash = {key.high, key.low}, .time_ns = UnZigZag(ReadVarint(reader))};
  if (!TakePacked(reader, out.bytes)) return std::nullopt;
  return out;
}

}  // namespace kindling::storage
