#include "storage/engine/manifest_edit.h"

#include <rocksdb/env.h>

#include <algorithm>
#include <string_view>

#include "base/status_macros.h"
#include "storage/engine/rocks_status.h"
#include "storage/varint.h"

// The format of RocksDB's logs: blocks of 32 KiB; a record lies in one or several fragments, none
// of which crosses a block: CRC of the rest (4 bytes), length (2), type (1), bytes. Little-endian.
namespace kindling::storage {
namespace {

constexpr size_t kBlockBytes = 32 << 10;
constexpr size_t kHeaderBytes = 7;
enum FragmentType : uint8_t { kFull = 1, kFirst = 2, kMiddle = 3, kLast = 4 };
// Of a record of a manifest.
constexpr uint64_t kDeletedFileTag = 6;
constexpr uint64_t kFamilyTag = 200;

// CRC-32C of the type and the bytes, as RocksDB hides it from other CRCs.
uint32_t MaskedCrc(uint8_t type, std::string_view bytes) {
  uint32_t crc = 0xffffffff;
  const auto take = [&](uint8_t byte) {
    crc ^= byte;
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ ((crc & 1) != 0 ? 0x82f63b78 : 0);
  };
  take(type);
  for (const char byte : bytes) take(static_cast<uint8_t>(byte));
  crc = ~crc;
  return (crc >> 15 | crc << 17) + 0xa282ead8;
}

uint32_t LittleEndian(std::string_view bytes) {
  uint32_t out = 0;
  for (size_t i = bytes.size(); i > 0; --i) out = out << 8 | static_cast<uint8_t>(bytes[i - 1]);
  return out;
}

// Where the last whole record ends.
size_t EndOfRecords(std::string_view manifest) {
  size_t end = 0;
  for (size_t at = 0;;) {
    const size_t left = kBlockBytes - at % kBlockBytes;
    if (left < kHeaderBytes) at += left;
    if (at + kHeaderBytes > manifest.size()) return end;
    const size_t bytes = LittleEndian(manifest.substr(at + 4, 2));
    const auto type = static_cast<uint8_t>(manifest[at + 6]);
    if (at + kHeaderBytes + bytes > manifest.size() || type < kFull || type > kLast) return end;
    const std::string_view rest = manifest.substr(at + kHeaderBytes, bytes);
    if (MaskedCrc(type, rest) != LittleEndian(manifest.substr(at, 4))) return end;
    at += kHeaderBytes + bytes;
    if (type == kFull || type == kLast) end = at;
  }
}

void AddRecord(std::string_view record, std::string& manifest) {
  bool is_first = true;
  do {
    const size_t left = kBlockBytes - manifest.size() % kBlockBytes;
    if (left < kHeaderBytes) {
      manifest.append(left, '\0');
      continue;
    }
    const std::string_view part = record.substr(0, left - kHeaderBytes);
    record.remove_prefix(part.size());
    const uint8_t type =
        is_first ? (record.empty() ? kFull : kFirst) : (record.empty() ? kLast : kMiddle);
    is_first = false;
    const uint32_t crc = MaskedCrc(type, part);
    for (int shift = 0; shift < 32; shift += 8) manifest += static_cast<char>(crc >> shift);
    manifest += static_cast<char>(part.size());
    manifest += static_cast<char>(part.size() >> 8);
    manifest += static_cast<char>(type);
    manifest += part;
  } while (is_first || !record.empty());
}

std::string RecordOf(const TableInManifest& table) {
  std::string out;
  PutVarint(out, kDeletedFileTag);
  PutVarint(out, static_cast<uint64_t>(table.level));
  PutVarint(out, table.number);
  if (table.family != 0) {
    PutVarint(out, kFamilyTag);
    PutVarint(out, table.family);
  }
  return out;
}

}  // namespace

absl::Status TakeOutOfManifest(rocksdb::Env& env, const std::string& directory,
                               const std::vector<TableInManifest>& tables) {
  constexpr std::string_view kDoing = "take a damaged table out of the store";
  std::string current;
  RETURN_IF_ERROR(
      FromRocks(rocksdb::ReadFileToString(&env, directory + "/CURRENT", &current), kDoing));
  const std::string path = directory + "/" + current.substr(0, current.find('\n'));
  std::string manifest;
  RETURN_IF_ERROR(FromRocks(rocksdb::ReadFileToString(&env, path, &manifest), kDoing));
  manifest.resize(EndOfRecords(manifest));
  for (const TableInManifest& table : tables) AddRecord(RecordOf(table), manifest);
  // Named as RocksDB names what it removes when it is left over.
  const std::string fresh = directory + "/000000.dbtmp";
  RETURN_IF_ERROR(
      FromRocks(rocksdb::WriteStringToFile(&env, manifest, fresh, /*should_sync=*/true), kDoing));
  return FromRocks(env.RenameFile(fresh, path), kDoing);
}

}  // namespace kindling::storage
