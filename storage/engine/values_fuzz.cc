// Any bytes as the values and names that are not columns. What can be read must be written and read
// to the same again.

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "storage/engine/address_rows.h"
#include "storage/engine/block_header.h"
#include "storage/engine/bucket_id.h"
#include "storage/engine/chunk_values.h"
#include "storage/keys.h"

namespace kindling::storage {
namespace {

void Require(bool right) {
  if (!right) std::abort();
}

void CheckSummary(std::string_view bytes) {
  std::string_view summary;
  const std::optional<BlockHeader> header = ParseSummary(bytes, &summary);
  if (!header) return;
  Require(summary.size() <= bytes.size());
  // Sizes of what is elsewhere are not believed before it is read.
  if (header->filter_bytes > 1 << 20 || header->body_bytes > 1 << 20) return;
  const SealedBlock block{.first_ns = header->first_ns,
                          .last_ns = header->last_ns,
                          .rows = header->rows,
                          .summary = std::string(summary),
                          .filter = std::string(header->filter_bytes, 'x'),
                          .body = std::string(header->body_bytes, 'x')};
  const std::string encoded = EncodeSummary(block);
  std::string_view again;
  Require(ParseSummary(encoded, &again).has_value() && again == summary);
}

void CheckChunk(std::string_view bytes) {
  const ChunkKey key{{"t", "c"}, 1'700'000'000'000'000'000, 1};
  const std::optional<model::Chunk> chunk = ParseChunk(key, bytes);
  if (!chunk) return;
  std::atomic<uint64_t> number = 1;
  std::vector<KeyValue> rows;
  AddChunks(key.space, {*chunk}, number, rows);
  Require(!rows.empty() && ParseChunk(key, rows[0].value) == chunk);
}

void CheckContent(std::string_view bytes) {
  const ContentKey key{{"t", "c"}, 1, 2};
  const std::optional<model::Content> content = ParseContent(key, bytes);
  if (!content) return;
  std::vector<KeyValue> rows;
  AddContents(key.space, {*content}, rows);
  Require(!rows.empty() && ParseContent(key, rows[0].value) == content);
}

void CheckAddress(std::string_view bytes) {
  const model::AddressBinding binding{.first_ns = 1, .address = "10.0.0.1", .port = 80};
  const std::string key = KeyOf(binding, "t", "c").Encode();
  const std::optional<model::AddressBinding> row = ParseAddressRow(key, bytes);
  if (row) Require(ParseAddressRow(key, AddressValue(*row)) == row);
}

void CheckBucket(std::string_view bytes) {
  const std::optional<BucketId> id = BucketId::Parse(bytes);
  if (id) Require(id->FamilyName() == bytes && id->start_ns <= id->end_ns());
}

}  // namespace
}  // namespace kindling::storage

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  kindling::storage::CheckSummary(bytes);
  kindling::storage::CheckChunk(bytes);
  kindling::storage::CheckContent(bytes);
  kindling::storage::CheckAddress(bytes);
  kindling::storage::CheckBucket(bytes);
  return 0;
}
