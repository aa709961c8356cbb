#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <vector>

#include "agent/protocols/codec.h"

// The first byte chooses the transport; every detector sees the rest.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace kindling::agent;
  if (size == 0) return 0;
  const auto transport = static_cast<kindling::model::Transport>(1 + data[0] % 3);
  const std::vector<std::byte> head(reinterpret_cast<const std::byte*>(data + 1),
                                    reinterpret_cast<const std::byte*>(data + size));
  const Detection detection = DetectProtocol(head, transport);
  const bool is_match = detection.match == Match::kRequest || detection.match == Match::kResponse;
  if (is_match != (detection.entry != nullptr)) std::abort();
  for (const ProtocolEntry& entry : ProtocolRegistry()) entry.detect(head, transport);
  return 0;
}
