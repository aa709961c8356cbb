#include "storage/blocks/raw_batch.h"

#include <algorithm>
#include <vector>

#include "absl/status/status.h"
#include "base/byte_reader.h"
#include "base/status_macros.h"
#include "storage/blocks/row_columns.h"
#include "storage/checksum.h"
#include "storage/columns.h"
#include "storage/varint.h"

namespace kindling::storage {
namespace {

constexpr char kMagic = 'R';
constexpr uint8_t kVersion = 1;
constexpr size_t kHeaderBytes = 8;
constexpr size_t kMaxNameBytes = 4096;

// On disk: never renumber.
enum class RecordClass : uint8_t {
  kSpan = 1,
  kEdgeStats = 2,
  kProcessEvent = 3,
  kLoss = 4,
  kAddressBinding = 5,
  kMetricSeries = 6,
  kMetricPoint = 7,
  kChunk = 8,
  kContent = 9,
};

void PutText(std::string& out, std::string_view text) {
  PutVarint(out, text.size());
  out += text;
}

template <typename Row>
void PutRows(std::string& out, RecordClass record_class, const std::vector<Row>& rows) {
  std::string columns;
  for (size_t begin = 0; begin < rows.size(); begin += kMaxBlockRows) {
    std::vector<const Row*> part;
    const size_t end = std::min(rows.size(), begin + kMaxBlockRows);
    part.reserve(end - begin);
    for (size_t i = begin; i < end; ++i) part.push_back(&rows[i]);
    columns.clear();
    EncodeRows(part, columns);
    out.push_back(static_cast<char>(record_class));
    PutText(out, columns);
  }
}

template <typename Row>
absl::Status TakeRows(std::string_view columns, std::vector<Row>& rows) {
  ASSIGN_OR_RETURN(std::vector<Row> decoded, DecodeRows<Row>(columns));
  if (rows.empty()) {
    rows = std::move(decoded);
  } else {
    std::move(decoded.begin(), decoded.end(), std::back_inserter(rows));
  }
  return absl::OkStatus();
}

absl::Status TakeSection(RecordClass record_class, std::string_view columns, model::Batch& batch) {
  switch (record_class) {
    case RecordClass::kSpan:
      return TakeRows(columns, batch.spans);
    case RecordClass::kEdgeStats:
      return TakeRows(columns, batch.edges);
    case RecordClass::kProcessEvent:
      return TakeRows(columns, batch.processes);
    case RecordClass::kLoss:
      return TakeRows(columns, batch.losses);
    case RecordClass::kAddressBinding:
      return TakeRows(columns, batch.addresses);
    case RecordClass::kMetricSeries:
      return TakeRows(columns, batch.series);
    case RecordClass::kMetricPoint:
      return TakeRows(columns, batch.points);
    case RecordClass::kChunk:
      return TakeRows(columns, batch.chunks);
    case RecordClass::kContent:
      return TakeRows(columns, batch.contents);
  }
  return absl::DataLossError("a batch holds an unknown record class");
}

}  // namespace

std::string EncodeRawBatch(const model::Batch& batch) {
  // The checksum is filled in at the end.
  std::string out = {kMagic, static_cast<char>(kVersion), 0, 0, 0, 0, 0, 0};
  PutText(out, batch.id.agent_id);
  PutText(out, batch.tenant);
  PutText(out, batch.cluster);
  PutVarint(out, batch.id.boot_epoch);
  PutVarint(out, batch.id.sequence);
  PutVarint(out, batch.rule_version);
  PutVarint(out, ZigZag(batch.first_ns));
  PutVarint(out, ZigZag(batch.last_ns));
  PutRows(out, RecordClass::kSpan, batch.spans);
  PutRows(out, RecordClass::kEdgeStats, batch.edges);
  PutRows(out, RecordClass::kProcessEvent, batch.processes);
  PutRows(out, RecordClass::kLoss, batch.losses);
  PutRows(out, RecordClass::kAddressBinding, batch.addresses);
  PutRows(out, RecordClass::kMetricSeries, batch.series);
  PutRows(out, RecordClass::kMetricPoint, batch.points);
  PutRows(out, RecordClass::kChunk, batch.chunks);
  PutRows(out, RecordClass::kContent, batch.contents);

  const uint32_t checksum = Checksum(std::string_view(out).substr(kHeaderBytes));
  for (int i = 0; i < 4; ++i) out[4 + i] = static_cast<char>(checksum >> (8 * i));
  return out;
}

absl::StatusOr<model::Batch> DecodeRawBatch(std::string_view bytes) {
  if (bytes.size() < kHeaderBytes || bytes[0] != kMagic) {
    return absl::DataLossError("not a batch");
  }
  if (static_cast<uint8_t>(bytes[1]) != kVersion || bytes[2] != 0 || bytes[3] != 0) {
    return absl::DataLossError("a batch of an unknown version");
  }
  base::ByteReader reader(base::AsBytes(bytes.substr(4)));
  if (reader.U32Le() != Checksum(bytes.substr(kHeaderBytes))) {
    return absl::DataLossError("checksum does not match");
  }
  model::Batch batch;
  for (std::string* text : {&batch.id.agent_id, &batch.tenant, &batch.cluster}) {
    const uint64_t size = ReadVarint(reader);
    if (size > kMaxNameBytes) return absl::DataLossError("a name of a batch is too long");
    *text = reader.Text(size);
  }
  batch.id.boot_epoch = ReadVarint(reader);
  batch.id.sequence = ReadVarint(reader);
  const uint64_t rule_version = ReadVarint(reader);
  batch.rule_version = static_cast<uint32_t>(rule_version);
  batch.first_ns = UnZigZag(ReadVarint(reader));
  batch.last_ns = UnZigZag(ReadVarint(reader));
  if (!reader.ok() || rule_version > UINT32_MAX) {
    return absl::DataLossError("the header of a batch is cut off");
  }
  while (reader.remaining() > 0) {
    const auto record_class = static_cast<RecordClass>(reader.U8());
    const std::string_view columns = reader.Text(ReadVarint(reader));
    if (!reader.ok()) return absl::DataLossError("a section of a batch is cut off");
    RETURN_IF_ERROR(TakeSection(record_class, columns, batch));
  }
  for (const model::MetricPoint& point : batch.points) {
    if (point.series >= batch.series.size()) {
      return absl::DataLossError("a point of a batch has no series");
    }
  }
  return batch;
}

}  // namespace kindling::storage
