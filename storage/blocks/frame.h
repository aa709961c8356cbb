#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/blocks/zstd_dictionaries.h"

// What all blocks have in common: a header, a directory of numbered sections, and the sections,
// each with a checksum of its own and compressed by itself, so that a reader touches no more than
// it needs. README.md draws it.
namespace kindling::storage {

// On disk: never renumber.
enum class FrameClass : uint8_t {
  kSpans = 1,
  kSpanSummary = 2,
  kSpanFilter = 3,
  kEdges = 4,
  kEdgeSummary = 5,
  kEdgeFilter = 6,
  kMetrics = 7,
  kMetricSummary = 8,
  kMetricFilter = 9,
};

// Limits of what a reader makes of a frame, whatever the frame says.
inline constexpr size_t kMaxFrameSections = 32'768;
inline constexpr size_t kMaxSectionRawBytes = size_t{256} << 20;
inline constexpr size_t kMaxFrameRawBytes = size_t{512} << 20;

// How hard to try; a section that does not shrink by 1/32 is stored as it is.
enum class Packing : uint8_t {
  kStored,
  kFast,   // zstd, for what must be quick
  kDense,  // zstd, for numbers
  kText,   // zstd against the current dictionary, if there is one and it helps
};

// Puts a frame together. Sections may be added in any order, each number once.
class FrameWriter {
 public:
  FrameWriter(FrameClass frame_class, uint8_t version, const ZstdDictionaries& dictionaries)
      : class_(frame_class), version_(version), dictionary_(dictionaries.current()) {}

  // Returns the bytes that the section takes in the frame, its directory entry aside.
  size_t Add(uint32_t number, std::string_view raw, Packing packing);
  std::string Finish() const;

 private:
  struct Section {
    uint32_t number = 0;
    uint8_t codec = 0;
    uint64_t raw_size = 0;
    uint32_t dictionary = 0;
    std::string stored;
  };

  const FrameClass class_;
  const uint8_t version_;
  const ZstdDictionaries::Entry* const dictionary_;
  std::vector<Section> sections_;
};

// A frame's sections, each read and checked when it is asked for.
//
// Lifetime: the bytes and the dictionaries must outlive this.
// Failure:  DATA_LOSS for what FrameWriter cannot have made. Sizes are checked before memory is
//           taken for them.
class FrameReader {
 public:
  // Checks the header and the directory. DATA_LOSS also for a version above `newest`.
  static absl::StatusOr<FrameReader> Open(std::string_view bytes, FrameClass frame_class,
                                          uint8_t newest, const ZstdDictionaries& dictionaries);

  uint8_t version() const { return version_; }
  bool Has(uint32_t number) const { return FindSection(number) != nullptr; }
  // Bytes that each section takes as stored, by number.
  std::vector<std::pair<uint32_t, size_t>> StoredSizes() const;
  // Size once decompressed; 0 when there is no such section.
  uint64_t raw_size(uint32_t number) const;

  // The section, decompressed into `room` if need be; the result refers to `room` or the frame.
  // DATA_LOSS: no such section, damaged, or larger than `max_bytes`.
  absl::StatusOr<std::string_view> Read(uint32_t number, std::string& room,
                                        size_t max_bytes = kMaxSectionRawBytes) const;

 private:
  struct Section {
    uint32_t number = 0;
    uint8_t codec = 0;
    uint64_t raw_size = 0;
    uint32_t dictionary = 0;
    uint32_t checksum = 0;
    std::string_view stored;
  };
  FrameReader() = default;
  absl::Status ParseDirectory(std::string_view bytes);
  const Section* FindSection(uint32_t number) const;

  const ZstdDictionaries* dictionaries_ = nullptr;
  uint8_t version_ = 0;
  std::vector<Section> sections_;  // by number
};

}  // namespace kindling::storage
