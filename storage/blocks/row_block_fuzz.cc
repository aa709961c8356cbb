// Any bytes, as a block, and as the columns inside a block whose checksum is right. What can be
// decoded must be encoded and decoded to the same again.

#include <zstd.h>

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "storage/blocks/row_block.h"
#include "storage/checksum.h"
#include "storage/varint.h"

namespace kindling::storage {
namespace {

template <typename Row>
void Check(std::string_view bytes) {
  const auto rows = DecodeBlock<Row>(bytes);
  if (!rows.ok()) return;
  std::vector<const Row*> pointers;
  for (const Row& row : *rows) pointers.push_back(&row);
  const std::string block = EncodeBlock(pointers);
  const auto again = DecodeBlock<Row>(block);
  // Compared as bytes: a weight that is not a number equals nothing.
  if (!again.ok() || again->size() != rows->size()) std::abort();
  std::vector<const Row*> pointers_again;
  for (const Row& row : *again) pointers_again.push_back(&row);
  if (EncodeBlock(pointers_again) != block) std::abort();
}

std::string Framed(char version, char record_class, std::string_view raw) {
  std::string body;
  PutVarint(body, raw.size());
  const size_t mark = body.size();
  body.resize(mark + ZSTD_compressBound(raw.size()));
  body.resize(mark + ZSTD_compress(body.data() + mark, body.size() - mark, raw.data(), raw.size(),
                                   /*compressionLevel=*/1));
  const uint32_t checksum = Checksum(body);
  std::string out = {'K', version, record_class, 0};
  for (int shift = 0; shift < 32; shift += 8) out.push_back(static_cast<char>(checksum >> shift));
  return out + body;
}

void CheckAll(std::string_view bytes) {
  Check<model::ProcessEvent>(bytes);
  Check<model::Loss>(bytes);
}

}  // namespace
}  // namespace kindling::storage

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  kindling::storage::CheckAll(bytes);
  if (!bytes.empty()) {
    kindling::storage::CheckAll(kindling::storage::Framed(
        1, static_cast<char>(1 + static_cast<uint8_t>(bytes[0]) % 2), bytes.substr(1)));
  }
  return 0;
}
