#pragma once

#include <cstddef>
#include <memory>
#include <span>

#include "agent/protocols/codec.h"
#include "agent/protocols/part_observer.h"
#include "model/protocol.h"

namespace kindling::agent::mysql {

// Parser of one connection to MySQL or MariaDB; see README.md for what makes a record.
std::unique_ptr<ProtocolCodec> MakeCodec(model::Transport transport);
// The same, telling `observer`, which must outlive it, what it makes of the bytes.
std::unique_ptr<ProtocolCodec> MakeObservedCodec(PartObserver& observer);

// Recognises the server's greeting, its refusal of a connection, and commands with their text or
// their fixed form. Pure.
Match Detect(std::span<const std::byte> head, model::Transport transport);

}  // namespace kindling::agent::mysql
