#pragma once

#include <cstddef>
#include <memory>
#include <span>

#include "agent/protocols/codec.h"
#include "model/protocol.h"

namespace kindling::agent::dns {

// Parser of the DNS messages between one client and one server. Over UDP every segment is one
// message; over TCP and AF_UNIX messages have a length before them.
std::unique_ptr<ProtocolCodec> MakeCodec(model::Transport transport);

// Recognises a query with one question, or a response to one, by every field of it. Pure.
Match Detect(std::span<const std::byte> head, model::Transport transport);

}  // namespace kindling::agent::dns
