#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

// What edge and metric blocks have in common: the rows of all series, one after another, cut into
// segments between two series. Each segment is a number stream that begins anew, in a section of
// its own, so that a reader decodes no more than the segments of the series it wants.
namespace kindling::storage {

// A segment ends after the series with which it has this many rows.
inline constexpr size_t kSegmentRows = 8192;

struct SeriesSegment {
  uint64_t series = 0;
  uint64_t rows = 0;
};

struct SegmentDirectory {
  int64_t base_ns = 0;  // what times begin with
  uint64_t series = 0;
  uint64_t rows = 0;
  std::vector<SeriesSegment> segments;
};

// Groups series, given by their rows.
std::vector<SeriesSegment> CutSegments(const std::vector<uint64_t>& rows_of_series);

std::string EncodeDirectory(const SegmentDirectory& directory);
// DATA_LOSS: damaged, or more than `max_rows` rows; no series is without rows.
absl::StatusOr<SegmentDirectory> ParseDirectory(std::string_view bytes, uint64_t max_rows);

}  // namespace kindling::storage
