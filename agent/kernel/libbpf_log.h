#pragma once

#include <string>

namespace kindling::agent {

// Sends libbpf's messages to glog at verbose level 1 and keeps the last few for error texts.
// Threads: safe; the lines kept are of the calling thread.
void InstallLibbpfLog();

// The last lines libbpf said on this thread, oldest first, joined by "; "; and forgets them.
std::string TakeLibbpfLog();

}  // namespace kindling::agent
