#pragma once

#include <cstdint>
#include <string_view>

namespace kindling::storage {

// The lower 32 bits of XXH3-64, seed 0: of bytes on disk, which are checked each time they are
// looked at, so that it has to be quick. Never to be changed.
uint32_t Checksum(std::string_view bytes);

}  // namespace kindling::storage
