#include "model/content_hash.h"

#include <openssl/sha.h>

#include <array>
#include <cstddef>
#include <cstdint>

namespace kindling::model {
namespace {

uint64_t BigEndian(const unsigned char* bytes) {
  uint64_t value = 0;
  for (size_t i = 0; i < sizeof value; ++i) value = value << 8 | bytes[i];
  return value;
}

}  // namespace

ContentHash HashOf(std::string_view bytes) {
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest;
  SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), digest.data());
  return {.high = BigEndian(digest.data()), .low = BigEndian(digest.data() + 8)};
}

}  // namespace kindling::model
