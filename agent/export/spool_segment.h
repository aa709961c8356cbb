#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

// The format of a spool's segment files.
//
//   file   = record*
//   record = header payload
//   header = magic u32, header_crc u32, payload_crc u32, payload_size u32, epoch u64, sequence u64,
//            time_ns i64, requests u64, spans u64, lane u32, reserved u32 (0); little endian
//
// Both checksums are zlib's CRC-32; header_crc covers what follows it in the header. A record whose
// header is right but whose payload is not is skipped by its length; where the header is wrong, the
// next right header is searched byte by byte.
namespace kindling::agent {

// Order of sending: aggregates, processes, addresses and losses before spans.
enum class SpoolLane : uint8_t { kAggregates = 0, kSpans = 1 };
inline constexpr size_t kSpoolLanes = 2;

// One batch in the spool, without its bytes.
struct SpoolRecord {
  SpoolLane lane = SpoolLane::kAggregates;
  uint64_t epoch = 0;
  uint64_t sequence = 0;
  int64_t time_ns = 0;  // wall clock when it was appended
  // What would be lost with it.
  uint64_t requests = 0;
  uint64_t spans = 0;
  uint32_t payload_size = 0;
  uint32_t payload_crc = 0;
};

inline constexpr size_t kSpoolHeaderBytes = 64;
inline constexpr uint32_t kMaxSpoolPayloadBytes = 64u << 20;

// Header and payload together; fills in size and checksums.
std::string EncodeSpoolRecord(SpoolRecord record, std::string_view payload);

uint32_t SpoolCrc(std::string_view bytes);

// Walks the records of one segment. Any bytes at all may be given.
// Lifetime: `bytes` must outlive the reader.
class SpoolSegmentReader {
 public:
  explicit SpoolSegmentReader(std::string_view bytes) : bytes_(bytes) {}

  // Moves to the next record whose header and payload are right; false at the end.
  bool Next();

  const SpoolRecord& record() const { return record_; }
  uint64_t offset() const { return offset_; }  // of its header
  std::string_view payload() const {
    return bytes_.substr(offset_ + kSpoolHeaderBytes, record_.payload_size);
  }

  // Stretches of bytes that were skipped before the current record, or before the end.
  uint64_t damaged_stretches() const { return damaged_stretches_; }
  uint64_t damaged_bytes() const { return damaged_bytes_; }
  // Records among them whose header was right.
  uint64_t damaged_requests() const { return damaged_requests_; }
  uint64_t damaged_spans() const { return damaged_spans_; }

 private:
  void SkipTo(uint64_t position);

  std::string_view bytes_;
  uint64_t position_ = 0;
  uint64_t offset_ = 0;
  SpoolRecord record_;
  bool in_damage_ = false;
  uint64_t damaged_stretches_ = 0;
  uint64_t damaged_bytes_ = 0;
  uint64_t damaged_requests_ = 0;
  uint64_t damaged_spans_ = 0;
};

}  // namespace kindling::agent
