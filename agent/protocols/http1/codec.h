#pragma once

#include <memory>
#include <span>

#include "agent/protocols/codec.h"
#include "agent/protocols/part_observer.h"
#include "model/protocol.h"

namespace kindling::agent::http1 {

// HTTP/1.0 and HTTP/1.1.
std::unique_ptr<ProtocolCodec> MakeCodec(model::Transport transport);
// The same, telling `observer`, which must outlive it, what it makes of the bytes.
std::unique_ptr<ProtocolCodec> MakeObservedCodec(PartObserver& observer);

// Pure; see ProtocolEntry::detect.
Match Detect(std::span<const std::byte> head, model::Transport transport);

}  // namespace kindling::agent::http1
