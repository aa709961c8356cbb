#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "agent/protocols/stream_buffer.h"

namespace kindling::agent::mysql {

inline constexpr size_t kHeaderBytes = 4;
// A payload this long goes on in the next packet.
inline constexpr uint32_t kMaxPayloadBytes = 0xffffff;

// One packet on the wire.
// Lifetime: `head` is valid until the buffer's next call that is not const.
struct Packet {
  uint32_t length = 0;  // of the payload
  uint8_t sequence = 0;
  std::span<const std::byte> head;  // of the payload, as much as was asked for and captured

  uint64_t bytes() const { return kHeaderBytes + uint64_t{length}; }
  bool is_whole() const { return head.size() == length; }
  // The first byte of the payload; `otherwise` if there is none.
  uint8_t first(uint8_t otherwise = 0) const {
    return head.empty() ? otherwise : static_cast<uint8_t>(head[0]);
  }
};

// Cuts the packet at the front of `buffer`, which is left as it is; then Skip(packet.bytes()) goes
// past it, over holes too. False if more bytes are needed: its header, and of its payload the first
// `head_bytes`, unless a hole took them.
bool PeekPacket(const StreamBuffer& buffer, size_t head_bytes, Packet* packet);

}  // namespace kindling::agent::mysql
