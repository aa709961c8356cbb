#include <cstddef>
#include <cstdint>
#include <span>

#include "agent/packets/packet_flow.h"

// The first byte says whether there is a link layer.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::span<const uint8_t> packet(data + 1, size - 1);
  kindling::agent::FlowOfPacket(std::as_bytes(packet), data[0] % 2 == 0);
  return 0;
}
