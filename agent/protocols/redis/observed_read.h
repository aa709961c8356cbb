#pragma once

#include <cstddef>
#include <span>

#include "agent/protocols/part_observer.h"
#include "agent/protocols/redis/command_framer.h"
#include "agent/protocols/redis/reply_framer.h"

namespace kindling::agent::redis {

// As framer.Next(input), telling `observer` what the bytes that it consumes are. `input` must be
// the end of the segment.
Step ReadObserved(CommandFramer& framer, std::span<const std::byte>& input, PartObserver& observer);
Step ReadObserved(ReplyFramer& framer, std::span<const std::byte>& input, PartObserver& observer);

}  // namespace kindling::agent::redis
