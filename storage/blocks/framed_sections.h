#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/byte_reader.h"
#include "storage/blocks/frame.h"

namespace kindling::storage {

// For fuzzers: a frame whose checksums are right around whatever bytes. The bytes are, for each
// section, its number and the size of what follows, two bytes, little-endian.
inline std::string FramedSections(FrameClass frame_class, std::string_view bytes) {
  const ZstdDictionaries none;
  FrameWriter frame(frame_class, 1, none);
  base::ByteReader reader(base::AsBytes(bytes));
  uint32_t number = 0;
  while (reader.remaining() >= 3 && number < 64) {
    number += 1 + reader.U8() % 16;
    const uint16_t size = reader.U16Le();
    frame.Add(number, reader.Text(std::min<size_t>(size, reader.remaining())), Packing::kStored);
  }
  return frame.Finish();
}

}  // namespace kindling::storage
