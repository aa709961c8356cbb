#include "storage/checksum.h"

#include <xxhash.h>

namespace kindling::storage {

uint32_t Checksum(std::string_view bytes) {
  return static_cast<uint32_t>(XXH3_64bits(bytes.data(), bytes.size()));
}

}  // namespace kindling::storage
