#include "agent/protocols/mysql/packet.h"

#include <algorithm>

#include "base/byte_reader.h"

namespace kindling::agent::mysql {

bool PeekPacket(const StreamBuffer& buffer, size_t head_bytes, Packet* packet) {
  const std::span<const std::byte> bytes = buffer.bytes();
  if (bytes.size() < kHeaderBytes) return false;
  base::ByteReader reader(bytes);
  packet->length = reader.U24Le();
  packet->sequence = reader.U8();
  const size_t wanted = std::min<size_t>(packet->length, head_bytes);
  packet->head = bytes.subspan(kHeaderBytes, std::min(wanted, bytes.size() - kHeaderBytes));
  return packet->head.size() == wanted || buffer.has_hole();
}

}  // namespace kindling::agent::mysql
