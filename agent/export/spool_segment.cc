#include "agent/export/spool_segment.h"

#include <zlib.h>

#include <optional>

#include "base/byte_reader.h"

namespace kindling::agent {
namespace {

constexpr std::string_view kMagic = "KDSR";

template <typename T>
void PutLe(std::string& out, T value) {
  for (size_t i = 0; i < sizeof(T); ++i) {
    out += static_cast<char>(static_cast<uint64_t>(value) >> (8 * i));
  }
}

// The header at the start of `bytes`, if it is right.
std::optional<SpoolRecord> ParseHeader(std::string_view bytes) {
  if (bytes.size() < kSpoolHeaderBytes || !bytes.starts_with(kMagic)) return std::nullopt;
  base::ByteReader reader(base::AsBytes(bytes.substr(0, kSpoolHeaderBytes)));
  reader.Skip(kMagic.size());
  if (reader.U32Le() != SpoolCrc(bytes.substr(8, kSpoolHeaderBytes - 8))) return std::nullopt;
  SpoolRecord record;
  record.payload_crc = reader.U32Le();
  record.payload_size = reader.U32Le();
  record.epoch = reader.U64Le();
  record.sequence = reader.U64Le();
  record.time_ns = static_cast<int64_t>(reader.U64Le());
  record.requests = reader.U64Le();
  record.spans = reader.U64Le();
  const uint32_t lane = reader.U32Le();
  if (lane >= kSpoolLanes || record.payload_size > kMaxSpoolPayloadBytes) return std::nullopt;
  record.lane = static_cast<SpoolLane>(lane);
  return record;
}

}  // namespace

uint32_t SpoolCrc(std::string_view bytes) {
  return static_cast<uint32_t>(
      crc32_z(0, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size()));
}

std::string EncodeSpoolRecord(SpoolRecord record, std::string_view payload) {
  std::string rest;
  PutLe(rest, SpoolCrc(payload));
  PutLe(rest, static_cast<uint32_t>(payload.size()));
  PutLe(rest, record.epoch);
  PutLe(rest, record.sequence);
  PutLe(rest, record.time_ns);
  PutLe(rest, record.requests);
  PutLe(rest, record.spans);
  PutLe(rest, static_cast<uint32_t>(record.lane));
  PutLe(rest, uint32_t{0});
  std::string out;
  out.reserve(kSpoolHeaderBytes + payload.size());
  out += kMagic;
  PutLe(out, SpoolCrc(rest));
  out += rest;
  out += payload;
  return out;
}

void SpoolSegmentReader::SkipTo(uint64_t position) {
  if (!in_damage_) ++damaged_stretches_;
  in_damage_ = true;
  damaged_bytes_ += position - position_;
  position_ = position;
}

bool SpoolSegmentReader::Next() {
  while (position_ < bytes_.size()) {
    const std::string_view rest = bytes_.substr(position_);
    const std::optional<SpoolRecord> header = ParseHeader(rest);
    if (!header.has_value()) {
      const size_t next = rest.find(kMagic, 1);
      SkipTo(next == std::string_view::npos ? bytes_.size() : position_ + next);
      continue;
    }
    const std::string_view payload = rest.substr(kSpoolHeaderBytes);
    if (payload.size() >= header->payload_size &&
        SpoolCrc(payload.substr(0, header->payload_size)) == header->payload_crc) {
      record_ = *header;
      offset_ = position_;
      position_ += kSpoolHeaderBytes + record_.payload_size;
      in_damage_ = false;
      return true;
    }
    damaged_requests_ += header->requests;
    damaged_spans_ += header->spans;
    // A payload that is not all there may be followed by records of a file whose middle is missing.
    const bool whole = payload.size() >= header->payload_size;
    SkipTo(position_ + kSpoolHeaderBytes + (whole ? header->payload_size : 0));
  }
  return false;
}

}  // namespace kindling::agent
