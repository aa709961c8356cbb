#pragma once

#include <cstddef>
#include <span>

#include "agent/protocols/codec.h"
#include "model/protocol.h"

namespace kindling::agent {

// Kafka by the header of a request: a known API and version, and a client id of plain text.
// Responses have nothing to know them by. Pure.
Match DetectKafka(std::span<const std::byte> head, model::Transport transport);

}  // namespace kindling::agent
