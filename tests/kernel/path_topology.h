#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace kindling::agent {

// Network namespaces of a test, named alike, removed with everything in them.
// Threads: one, but for In().
class PathTopology {
 public:
  PathTopology();
  PathTopology(const PathTopology&) = delete;
  PathTopology& operator=(const PathTopology&) = delete;
  ~PathTopology();

  // Makes the namespace, with loopback up. Its name in `ip netns` is Name(host).
  void AddHost(const std::string& host);
  std::string Name(const std::string& host) const { return prefix_ + host; }
  std::vector<std::string> NetnsPaths() const;

  // Runs a command line in the host's namespace; aborts the process with its output if it fails.
  void Run(const std::string& host, const std::string& command) const;
  // `ip` commands in the host's namespace, one a line.
  void Ip(const std::string& host, const std::string& lines) const;
  void Nft(const std::string& host, const std::string& rules) const;
  // Lets the host forward IPv4.
  void Forward(const std::string& host) const;
  // What the kernel says that the device's queue discipline has dropped.
  uint64_t QdiscDrops(const std::string& host, const std::string& device) const;
  // Until `ip -d -o link` says so of the device; aborts the process after 10 s.
  void Await(const std::string& host, const std::string& device, const std::string& text) const;
  // A veth pair between two hosts, up, without addresses; both carry packets already.
  void Veth(const std::string& a, const std::string& device_a, const std::string& b,
            const std::string& device_b) const;

  // Calls `body` on a thread that is in the host's namespace, to its end.
  void In(const std::string& host, const std::function<void()>& body) const;

 private:
  const std::string prefix_;
  std::vector<std::string> hosts_;
};

}  // namespace kindling::agent
