#include <cstddef>
#include <cstdint>
#include <span>

#include "agent/protocols/mysql/codec.h"
#include "agent/protocols/testing/codec_fuzzer.h"
#include "model/protocol.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using kindling::model::Transport;
  const std::span<const uint8_t> input(data, size);
  kindling::agent::mysql::Detect(std::as_bytes(input), Transport::kTcp);
  kindling::agent::FuzzCodec([] { return kindling::agent::mysql::MakeCodec(Transport::kTcp); },
                             input);
  return 0;
}
