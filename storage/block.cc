#include "storage/block.h"

#include <zlib.h>
#include <zstd.h>

#include <type_traits>

#include "absl/status/status.h"
#include "storage/columns.h"

namespace kindling::storage {
namespace {

constexpr char kMagic = 'K';
// 2: connect_count and connect_sum_ns of EdgeStats.
constexpr uint8_t kVersion = 2;
constexpr size_t kHeaderBytes = 8;
constexpr int kZstdLevel = 3;

// On disk: never renumber.
enum class RecordClass : uint8_t { kSpan = 1, kEdgeStats = 2, kProcessEvent = 3, kLoss = 4 };

template <typename Row>
constexpr RecordClass ClassOf() {
  if constexpr (std::is_same_v<Row, model::Span>) return RecordClass::kSpan;
  if constexpr (std::is_same_v<Row, model::EdgeStats>) return RecordClass::kEdgeStats;
  if constexpr (std::is_same_v<Row, model::ProcessEvent>) return RecordClass::kProcessEvent;
  if constexpr (std::is_same_v<Row, model::Loss>) return RecordClass::kLoss;
}

#define FIELD(name) \
  [](auto& row) -> auto& { return row.name; }

// What a block of `version` holds of a row, in this order.
template <typename Archive>
void Describe(Archive& a, std::type_identity<model::Span>, uint8_t) {
  a.Delta(FIELD(id));
  a.Number(FIELD(trace_id.high));
  a.Number(FIELD(trace_id.low));
  a.Number(FIELD(parent_id));
  a.Number(FIELD(side));
  a.Number(FIELD(protocol));
  a.Number(FIELD(transport));
  a.Number(FIELD(outcome));
  a.Number(FIELD(slow));
  a.Party(FIELD(client));
  a.Party(FIELD(server));
  a.Number(FIELD(client_port));
  a.Text(FIELD(endpoint));
  a.Text(FIELD(status_code));
  a.Delta(FIELD(start_ns));
  a.Number(FIELD(request_duration_ns));
  a.Number(FIELD(wait_duration_ns));
  a.Number(FIELD(response_duration_ns));
  a.Number(FIELD(connect_duration_ns));
  a.Number(FIELD(request_bytes));
  a.Number(FIELD(response_bytes));
  a.Number(FIELD(request_tcp_seq));
  a.Number(FIELD(response_tcp_seq));
  a.Number(FIELD(stream_id));
  a.Number(FIELD(pid));
  a.Number(FIELD(request_tid));
  a.Number(FIELD(response_tid));
  a.Number(FIELD(execution_unit));
  a.Number(FIELD(sample_weight));
  a.Blame(FIELD(blame));
  a.Attributes(FIELD(attributes));
}

template <typename Archive>
void Describe(Archive& a, std::type_identity<model::EdgeStats>, uint8_t version) {
  a.Delta(FIELD(window_start_ns));
  a.Number(FIELD(window_ns));
  a.Number(FIELD(observer));
  a.Party(FIELD(client));
  a.Party(FIELD(server));
  a.Number(FIELD(protocol));
  a.Number(FIELD(transport));
  a.Text(FIELD(endpoint));
  a.Number(FIELD(outcome));
  a.Text(FIELD(status_code));
  a.Number(FIELD(count));
  a.Number(FIELD(slow_count));
  a.Number(FIELD(sent_bytes));
  a.Number(FIELD(received_bytes));
  a.Number(FIELD(connections));
  a.Number(FIELD(connect_failures));
  a.Number(FIELD(lost));
  a.Histogram(FIELD(latency));
  a.Blame(FIELD(blame));
  if (version < 2) return;
  a.Number(FIELD(connect_count));
  a.Number(FIELD(connect_sum_ns));
}

template <typename Archive>
void Describe(Archive& a, std::type_identity<model::ProcessEvent>, uint8_t) {
  a.Delta(FIELD(time_ns));
  a.Number(FIELD(kind));
  a.Text(FIELD(host));
  a.Text(FIELD(workload));
  a.Text(FIELD(workload_kind));
  a.Text(FIELD(executable));
  a.Text(FIELD(command));
  a.Number(FIELD(pid));
  a.Number(FIELD(parent_pid));
  a.Number(FIELD(code));
}

template <typename Archive>
void Describe(Archive& a, std::type_identity<model::Loss>, uint8_t) {
  a.Delta(FIELD(time_ns));
  a.Number(FIELD(stage));
  a.Text(FIELD(host));
  a.Text(FIELD(workload));
  a.Number(FIELD(requests));
  a.Number(FIELD(events));
  a.Number(FIELD(bytes));
}

#undef FIELD

uint32_t Crc(std::string_view bytes) {
  return static_cast<uint32_t>(
      crc32(0, reinterpret_cast<const Bytef*>(bytes.data()), static_cast<uInt>(bytes.size())));
}

// Everything after the CRC.
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
  ColumnEncoder<Row> encoder(rows);
  Describe(encoder, std::type_identity<Row>(), kVersion);
  const std::string body = Compressed(encoder.Finish());
  const uint32_t crc = Crc(body);
  std::string out = {kMagic, static_cast<char>(kVersion), static_cast<char>(ClassOf<Row>()), 0};
  for (int shift = 0; shift < 32; shift += 8) out.push_back(static_cast<char>(crc >> shift));
  return out + body;
}

template <typename Row>
absl::StatusOr<std::vector<Row>> DecodeBlock(std::string_view bytes) {
  if (bytes.size() < kHeaderBytes || bytes[0] != kMagic) return absl::DataLossError("not a block");
  const auto version = static_cast<uint8_t>(bytes[1]);
  if (version < 1 || version > kVersion) {
    return absl::DataLossError("block of an unknown version");
  }
  if (static_cast<RecordClass>(bytes[2]) != ClassOf<Row>() || bytes[3] != 0) {
    return absl::DataLossError("block of another record class");
  }
  base::ByteReader reader(base::AsBytes(bytes.substr(4)));
  const uint32_t crc = reader.U32Le();
  const std::string_view body = bytes.substr(kHeaderBytes);
  if (Crc(body) != crc) return absl::DataLossError("checksum does not match");
  const absl::StatusOr<std::string> raw = Decompressed(body);
  if (!raw.ok()) return raw.status();
  ColumnDecoder<Row> decoder(*raw);
  Describe(decoder, std::type_identity<Row>(), version);
  if (!decoder.Finished()) return absl::DataLossError("columns are inconsistent");
  return std::move(decoder.rows());
}

template std::string EncodeBlock(const std::vector<const model::Span*>&);
template std::string EncodeBlock(const std::vector<const model::EdgeStats*>&);
template std::string EncodeBlock(const std::vector<const model::ProcessEvent*>&);
template std::string EncodeBlock(const std::vector<const model::Loss*>&);
template absl::StatusOr<std::vector<model::Span>> DecodeBlock(std::string_view);
template absl::StatusOr<std::vector<model::EdgeStats>> DecodeBlock(std::string_view);
template absl::StatusOr<std::vector<model::ProcessEvent>> DecodeBlock(std::string_view);
template absl::StatusOr<std::vector<model::Loss>> DecodeBlock(std::string_view);

}  // namespace kindling::storage
