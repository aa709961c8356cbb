#include "tests/kernel/path_topology.h"

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <thread>

namespace kindling::agent {
namespace {

// The output of a shell command; its exit code is 0 or the process ends.
std::string RunShell(const std::string& command) {
  FILE* pipe = popen((command + " 2>&1").c_str(), "r");
  std::string output;
  char text[512];
  while (pipe != nullptr && std::fgets(text, sizeof(text), pipe) != nullptr) output += text;
  if (pipe == nullptr || pclose(pipe) != 0) {
    std::fprintf(stderr, "%s: %s\n", command.c_str(), output.c_str());
    std::abort();
  }
  return output;
}

// iproute2's, where a shell has one of its own under the same name.
std::string FindIp() {
  std::istringstream path(std::getenv("PATH") != nullptr ? std::getenv("PATH") : "");
  std::string directory;
  while (std::getline(path, directory, ':')) {
    const std::string program = directory + "/ip";
    if (access(program.c_str(), X_OK) == 0) return program;
  }
  return "/usr/sbin/ip";
}

const std::string& IpProgram() {
  static const auto& program = *new std::string(FindIp());
  return program;
}

std::string MakePrefix() {
  static int number = 0;
  return "kdpath" + std::to_string(getpid()) + "-" + std::to_string(++number) + "-";
}

}  // namespace

PathTopology::PathTopology() : prefix_(MakePrefix()) {}

PathTopology::~PathTopology() {
  for (const std::string& host : hosts_) RunShell(IpProgram() + " netns del " + Name(host));
}

void PathTopology::AddHost(const std::string& host) {
  RunShell(IpProgram() + " netns add " + Name(host));
  hosts_.push_back(host);
  Ip(host, "link set lo up");
}

std::vector<std::string> PathTopology::NetnsPaths() const {
  std::vector<std::string> paths;
  for (const std::string& host : hosts_) paths.push_back("/run/netns/" + Name(host));
  return paths;
}

void PathTopology::Run(const std::string& host, const std::string& command) const {
  RunShell(IpProgram() + " netns exec " + Name(host) + " " + command);
}

void PathTopology::Ip(const std::string& host, const std::string& lines) const {
  std::istringstream stream(lines);
  std::string line;
  while (std::getline(stream, line)) {
    if (!line.empty()) RunShell(IpProgram() + " -n " + Name(host) + " " + line);
  }
}

void PathTopology::Nft(const std::string& host, const std::string& rules) const {
  Run(host, "nft '" + rules + "'");
}

void PathTopology::Forward(const std::string& host) const {
  Run(host, "sh -c 'echo 1 > /proc/sys/net/ipv4/ip_forward'");
}

uint64_t PathTopology::QdiscDrops(const std::string& host, const std::string& device) const {
  // "... Sent 3126 bytes 3 pkt (dropped 17, overlimits ..."
  const std::string text =
      RunShell(IpProgram() + " netns exec " + Name(host) + " tc -s qdisc show dev " + device);
  const size_t at = text.find("(dropped ");
  if (at == std::string::npos) std::abort();
  return std::strtoull(text.c_str() + at + 9, nullptr, 10);
}

void PathTopology::Veth(const std::string& a, const std::string& device_a, const std::string& b,
                        const std::string& device_b) const {
  RunShell(IpProgram() + " link add " + device_a + " netns " + Name(a) + " type veth peer name " +
           device_b + " netns " + Name(b));
  Ip(a, "link set " + device_a + " up");
  Ip(b, "link set " + device_b + " up");
  // The kernel notes a carrier up to a second later and throws packets away until then.
  Await(a, device_a, " state UP ");
  Await(b, device_b, " state UP ");
}

void PathTopology::Await(const std::string& host, const std::string& device,
                         const std::string& text) const {
  const std::string command = IpProgram() + " -n " + Name(host) + " -d -o link show dev " + device;
  for (int i = 0; i < 200; ++i) {
    if (RunShell(command).find(text) != std::string::npos) return;
    usleep(50'000);
  }
  std::fprintf(stderr, "%s: never \"%s\"\n", command.c_str(), text.c_str());
  std::abort();
}

void PathTopology::In(const std::string& host, const std::function<void()>& body) const {
  std::thread thread([&] {
    const int fd = open(("/run/netns/" + Name(host)).c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0 || setns(fd, CLONE_NEWNET) != 0) std::abort();
    close(fd);
    body();
  });
  thread.join();
}

}  // namespace kindling::agent
