#include <cstddef>
#include <cstdint>
#include <span>

#include "agent/protocols/dns/codec.h"
#include "agent/protocols/testing/codec_fuzzer.h"
#include "model/protocol.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using kindling::model::Transport;
  const std::span<const uint8_t> input(data, size);
  for (const Transport transport : {Transport::kUdp, Transport::kTcp}) {
    kindling::agent::dns::Detect(std::as_bytes(input), transport);
    kindling::agent::FuzzCodec([=] { return kindling::agent::dns::MakeCodec(transport); }, input);
  }
  return 0;
}
