#pragma once

#include <cstddef>
#include <span>

#include "agent/protocols/codec.h"
#include "model/protocol.h"

namespace kindling::agent {

// HTTP/2 without TLS: the client's preface, or the SETTINGS frame a server begins with. Pure.
Match DetectHttp2(std::span<const std::byte> head, model::Transport transport);

}  // namespace kindling::agent
