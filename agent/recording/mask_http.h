#pragma once

#include <string>

#include "agent/protocols/codec.h"

namespace kindling::agent {

// The head of an HTTP/1 message, as far as it came, with its values replaced by others of the same
// length. The methods, routes, versions and status stay, and the headers by which a message is
// framed, routed or joined to a trace. Of a path, what model::LooksLikeId() takes for a value
// becomes another that it takes for one: the template stays the same.
void MaskHttpHead(Flow flow, std::string& head);
// "1a;name=value\r\n"
void MaskHttpChunkLine(std::string& line);
void MaskHttpTrailer(std::string& line);

}  // namespace kindling::agent
