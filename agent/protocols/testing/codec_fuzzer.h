#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>

#include "agent/protocols/codec.h"

namespace kindling::agent {

// Plays a fuzzer's input against a fresh codec and checks what must hold for every input: records
// are well-formed and bounded, and nothing is open after OnClose. Aborts if it does not.
//
// The input is a list of steps, each a byte that says what happens and a byte of size:
//   bit 0     flow
//   bits 1-2  0, 1: the next size + 1 bytes are a segment; 2: so, and `size` bytes more went
//             unseen; 3: a gap of size / 8 bytes, or a tick if bit 3 is set
// so that an input is easy to write by hand and any input means something.
void FuzzCodec(const std::function<std::unique_ptr<ProtocolCodec>()>& make_codec,
               std::span<const uint8_t> input);

}  // namespace kindling::agent
