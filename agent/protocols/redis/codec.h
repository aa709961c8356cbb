#pragma once

#include <cstddef>
#include <memory>
#include <span>

#include "agent/protocols/codec.h"
#include "agent/protocols/part_observer.h"
#include "model/protocol.h"

namespace kindling::agent::redis {

// Parser of one Redis connection, RESP2 and RESP3; see README.md for what makes a record.
std::unique_ptr<ProtocolCodec> MakeCodec(model::Transport transport);
// The same, telling `observer`, which must outlive it, what it makes of the bytes.
std::unique_ptr<ProtocolCodec> MakeObservedCodec(PartObserver& observer);

// Recognises commands by name, and those replies that no other protocol sends. Pure.
Match Detect(std::span<const std::byte> head, model::Transport transport);

}  // namespace kindling::agent::redis
