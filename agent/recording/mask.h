#pragma once

#include <cstddef>
#include <span>

#include "agent/capture/events.h"
#include "agent/protocols/codec.h"
#include "model/protocol.h"

namespace kindling::agent {

// Replaces values in payload by others of the same length (letters and digits by 'x', digits of
// numbers that must stay numbers by '1'), keeping what a codec needs: framing, lengths, methods,
// commands, SQL keywords and names, status. A function of the bytes of one system call; a call that
// starts in the middle of a message is masked as values. What is not parsed is masked entirely, but
// for the first bytes of TLS, HTTP/2, PostgreSQL and Kafka by which they are recognised.
void MaskPayload(model::Protocol protocol, Flow flow, std::span<std::byte> bytes);

}  // namespace kindling::agent
