#pragma once

#include <memory>
#include <span>

#include "agent/protocols/codec.h"
#include "model/protocol.h"

namespace kindling::agent::http1 {

// HTTP/1.0 and HTTP/1.1.
std::unique_ptr<ProtocolCodec> MakeCodec(model::Transport transport);

// Pure; see ProtocolEntry::detect.
Match Detect(std::span<const std::byte> head, model::Transport transport);

}  // namespace kindling::agent::http1
