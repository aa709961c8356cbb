#pragma once

#include <string>
#include <vector>

#include "agent/protocols/testing/codec_conformance.h"

namespace kindling::agent {

// Reads a captured conversation: a line for each system call, "> " for bytes of the client and "< "
// for bytes of the server, then the bytes, with \n, \r, \\ and \xNN for what is not plain text.
// `path` is from the root of the repository. Fails the test, and returns nothing, if it is wrong.
std::vector<Turn> ReadTurnsFile(const std::string& path);

}  // namespace kindling::agent
