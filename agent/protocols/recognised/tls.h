#pragma once

#include <cstddef>
#include <span>

#include "agent/protocols/codec.h"
#include "model/protocol.h"

namespace kindling::agent {

// TLS by its first handshake record: a ClientHello or a ServerHello. Pure.
Match DetectTls(std::span<const std::byte> head, model::Transport transport);

}  // namespace kindling::agent
