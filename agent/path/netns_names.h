#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace kindling::agent {

// Names of network namespaces by inode number: as `ip netns` has them, "host" for that of process
// 1, else by a process in it: "container 1f2e3d4c5b6a", "nginx (pid 312)"; "net:[4026531840]" where
// nobody tells.
//
// Threads: one.
// Limits:  kNamesMax names are kept; what has none is looked for again once a second at most.
class NetnsNames {
 public:
  static constexpr size_t kNamesMax = 1024;

  // `paths` are those of the scope, which may be anywhere.
  explicit NetnsNames(std::vector<std::string> paths = {},
                      std::string netns_directory = "/run/netns", std::string proc_root = "/proc");

  const std::string& Of(uint32_t inode, int64_t boot_ns);

 private:
  void Look();
  void NameByProcess();

  const std::vector<std::string> paths_;
  const std::string netns_directory_;
  const std::string proc_root_;
  std::map<uint32_t, std::string> names_;
  std::map<uint32_t, std::string> without_;  // "net:[...]"
  int64_t next_look_ns_ = 0;
};

}  // namespace kindling::agent
