#include "storage/blocks/row_block.h"

#include <zstd.h>

#include <type_traits>

#include "absl/status/status.h"
#include "base/byte_reader.h"
#include "storage/blocks/row_columns.h"
#include "storage/checksum.h"
#include "storage/columns.h"
#include "storage/varint.h"

namespace kindling::storage {
namespace {

constexpr char kMagic = 'K';
constexpr uint8_t kVersion = 1;
constexpr size_t kHeaderBytes = 8;
constexpr int kZstdLevel = 3;

// On disk: never renumber.
enum class RecordClass : uint8_t { kProcessEvent = 1, kLoss = 2 };

template <typename Row>
constexpr RecordClass ClassOf() {
  if constexpr (std::is_same_v<Row, model::ProcessEvent>) return RecordClass::kProcessEvent;
  if constexpr (std::is_same_v<Row, model::Loss>) return RecordClass::kLoss;
}

// Everything after the checksum.
std::string Compressed(const std::string& raw) {
  std::string out;
  PutVarint(out, raw.size());
  const size_t mark = out.size();
  out.resize(mark + ZSTD_compressBound(raw.size()));
  const size_t size =
      ZSTD_compress(out.data() + mark, out.size() - mark, raw.data(), raw.size(), kZstdLevel);
  out.resize(mark + size);  // cannot fail: the room is what zstd asked for
  return out;
}

absl::StatusOr<std::string> Decompressed(std::string_view body) {
  base::ByteReader reader(base::AsBytes(body));
  const uint64_t raw_size = ReadVarint(reader);
  if (!reader.ok() || raw_size > kMaxBlockRawBytes) {
    return absl::DataLossError("block states an impossible size");
  }
  body.remove_prefix(reader.position());
  // What zstd itself states is checked first, so that a lie costs no memory.
  if (ZSTD_getFrameContentSize(body.data(), body.size()) != raw_size) {
    return absl::DataLossError("block does not hold what it states");
  }
  std::string raw(raw_size, '\0');
  const size_t size = ZSTD_decompress(raw.data(), raw.size(), body.data(), body.size());
  if (ZSTD_isError(size) || size != raw_size) {
    return absl::DataLossError("block cannot be decompressed");
  }
  return raw;
}

}  // namespace

template <typename Row>
std::string EncodeBlock(const std::vector<const Row*>& rows) {
  const std::string body = Compressed(EncodeRows(rows));
  const uint32_t checksum = Checksum(body);
  std::string out = {kMagic, static_cast<char>(kVersion), static_cast<char>(ClassOf<Row>()), 0};
  for (int shift = 0; shift < 32; shift += 8) out.push_back(static_cast<char>(checksum >> shift));
  return out + body;
}

template <typename Row>
absl::StatusOr<std::vector<Row>> DecodeBlock(std::string_view bytes) {
  if (bytes.size() < kHeaderBytes || bytes[0] != kMagic) return absl::DataLossError("not a block");
  if (static_cast<uint8_t>(bytes[1]) != kVersion) {
    return absl::DataLossError("block of an unknown version");
  }
  if (static_cast<RecordClass>(bytes[2]) != ClassOf<Row>() || bytes[3] != 0) {
    return absl::DataLossError("block of another record class");
  }
  base::ByteReader reader(base::AsBytes(bytes.substr(4)));
  const uint32_t checksum = reader.U32Le();
  const std::string_view body = bytes.substr(kHeaderBytes);
  if (Checksum(body) != checksum) return absl::DataLossError("checksum does not match");
  const absl::StatusOr<std::string> raw = Decompressed(body);
  if (!raw.ok()) return raw.status();
  return DecodeRows<Row>(*raw);
}

template std::string EncodeBlock(const std::vector<const model::ProcessEvent*>&);
template std::string EncodeBlock(const std::vector<const model::Loss*>&);
template absl::StatusOr<std::vector<model::ProcessEvent>> DecodeBlock(std::string_view);
template absl::StatusOr<std::vector<model::Loss>> DecodeBlock(std::string_view);

}  // namespace kindling::storage
