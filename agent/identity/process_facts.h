#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace kindling::agent {

// What the operating system says about one process, as far as it could be read.
struct ProcessFacts {
  bool found = false;  // false: the process was gone, or /proc unreadable
  uint32_t parent_tgid = 0;
  std::string executable;              // path of /proc/PID/exe; empty when unreadable
  std::string comm;                    // at most 15 bytes
  std::vector<std::string> arguments;  // argv, capped to kMaxArgumentsBytes in all
  std::string cgroup;        // path in the unified hierarchy, or systemd's own where that is "/"
  uint64_t start_ticks = 0;  // field 22 of /proc/PID/stat: tells a reused pid apart

  static constexpr size_t kMaxArgumentsBytes = 4096;
  bool operator==(const ProcessFacts&) const = default;
};

// Answers about processes. The seam between /proc and a recording.
// Threads: the capture thread only.
class ProcessReader {
 public:
  virtual ~ProcessReader() = default;
  virtual ProcessFacts Read(uint32_t tgid) = 0;
};

}  // namespace kindling::agent
