// Any bytes: a key that is parsed is encoded to the same bytes again.

#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "storage/keys.h"

namespace {

template <typename Key>
void Check(std::string_view bytes) {
  const auto key = Key::Parse(bytes);
  if (key && key->Encode() != bytes) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  Check<kindling::storage::MetaKey>(bytes);
  Check<kindling::storage::SequenceKey>(bytes);
  Check<kindling::storage::DictionaryKey>(bytes);
  Check<kindling::storage::RawBatchKey>(bytes);
  Check<kindling::storage::BlockKey>(bytes);
  Check<kindling::storage::AliasKey>(bytes);
  Check<kindling::storage::ChunkKey>(bytes);
  Check<kindling::storage::SpanChunkKey>(bytes);
  Check<kindling::storage::ContentKey>(bytes);
  Check<kindling::storage::AddressKey>(bytes);
  return 0;
}
