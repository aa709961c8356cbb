#include "storage/engine/block_header.h"

#include "base/byte_reader.h"
#include "storage/varint.h"

namespace kindling::storage {
namespace {

constexpr uint8_t kVersion = 1;

}  // namespace

std::string EncodeSummary(const SealedBlock& block) {
  std::string out(1, static_cast<char>(kVersion));
  PutVarint(out, ZigZag(block.first_ns));
  PutVarint(out, ZigZag(block.last_ns));
  PutVarint(out, block.rows);
  PutVarint(out, block.filter.size());
  PutVarint(out, block.body.size());
  return out + block.summary;
}

std::optional<BlockHeader> ParseSummary(std::string_view value, std::string_view* summary) {
  base::ByteReader reader(base::AsBytes(value));
  if (reader.U8() != kVersion) return std::nullopt;
  BlockHeader out;
  out.first_ns = UnZigZag(ReadVarint(reader));
  out.last_ns = UnZigZag(ReadVarint(reader));
  out.rows = ReadVarint(reader);
  out.filter_bytes = ReadVarint(reader);
  out.body_bytes = ReadVarint(reader);
  if (!reader.ok() || out.first_ns > out.last_ns) return std::nullopt;
  *summary = value.substr(reader.position());
  return out;
}

}  // namespace kindling::storage
