#pragma once

#include <cstddef>
#include <span>

#include "agent/protocols/codec.h"
#include "model/protocol.h"

namespace kindling::agent {

// PostgreSQL's protocol 3: the start of a connection (SSLRequest, GSSENCRequest, CancelRequest,
// StartupMessage), the answer to it, and on connections that are open already a Query, a Parse, or
// messages that end with ReadyForQuery. Pure.
Match DetectPostgresql(std::span<const std::byte> head, model::Transport transport);

}  // namespace kindling::agent
