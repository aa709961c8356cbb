#pragma once

#include <string>
#include <vector>

#include "agent/protocols/testing/codec_conformance.h"

namespace kindling::agent::mysql {

// Reads testdata/NAME.cap: what one connection to a real server carried, each read of the relay
// that took it as a flow (a byte, 0 for the client's), a little-endian length of 4 bytes, and the
// bytes. Aborts if the file is not there or not whole.
std::vector<Turn> ReadCapture(const std::string& name);

// The turns from the first command on, without greeting and login.
std::vector<Turn> WithoutHandshake(const std::vector<Turn>& turns);

}  // namespace kindling::agent::mysql
