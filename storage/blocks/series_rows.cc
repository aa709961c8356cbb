#include "storage/blocks/series_rows.h"

#include "absl/status/status.h"
#include "base/byte_reader.h"
#include "storage/varint.h"

namespace kindling::storage {

std::vector<SeriesSegment> CutSegments(const std::vector<uint64_t>& rows_of_series) {
  std::vector<SeriesSegment> segments;
  for (const uint64_t rows : rows_of_series) {
    if (segments.empty() || segments.back().rows >= kSegmentRows) segments.emplace_back();
    ++segments.back().series;
    segments.back().rows += rows;
  }
  return segments;
}

std::string EncodeDirectory(const SegmentDirectory& directory) {
  std::string out;
  PutVarint(out, ZigZag(directory.base_ns));
  PutVarint(out, directory.segments.size());
  for (const SeriesSegment& segment : directory.segments) {
    PutVarint(out, segment.series);
    PutVarint(out, segment.rows);
  }
  return out;
}

absl::StatusOr<SegmentDirectory> ParseDirectory(std::string_view bytes, uint64_t max_rows) {
  base::ByteReader reader(base::AsBytes(bytes));
  SegmentDirectory directory;
  directory.base_ns = UnZigZag(ReadVarint(reader));
  const uint64_t count = ReadVarint(reader);
  if (count > reader.remaining() / 2) return absl::DataLossError("more segments than bytes");
  for (uint64_t i = 0; i < count; ++i) {
    SeriesSegment segment;
    segment.series = ReadVarint(reader);
    segment.rows = ReadVarint(reader);
    if (segment.series == 0 || segment.series > segment.rows ||
        segment.rows > max_rows - directory.rows) {
      return absl::DataLossError("a segment has an impossible number of rows");
    }
    directory.series += segment.series;
    directory.rows += segment.rows;
    directory.segments.push_back(segment);
  }
  if (!reader.ok() || reader.remaining() != 0) {
    return absl::DataLossError("the directory of segments is damaged");
  }
  return directory;
}

}  // namespace kindling::storage
