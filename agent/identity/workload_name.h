#pragma once

#include <string>
#include <string_view>

#include "agent/identity/process_facts.h"

namespace kindling::agent {

// The name under which a process is shown, and what gave it.
struct WorkloadName {
  std::string name;  // "nginx:80"
  std::string kind;  // "container", "unit" or "process"
  bool operator==(const WorkloadName&) const = default;
};

// What a process serves, as far as it is known.
struct ServedAddress {
  uint16_t tcp_port = 0;  // the lowest listening TCP port; 0: none
  uint16_t udp_port = 0;  // the lowest UDP port it answers on; 0: none
  std::string unix_path;  // of a listening socket; empty: none
};

// Names a process: by container or systemd unit if there is one, else by executable (of a script
// run by an interpreter: the script) and what it serves. A container or unit that the agent itself
// is in tells nothing apart and is not used: `own_cgroup` is the agent's.
WorkloadName NameWorkload(const ProcessFacts& facts, const ServedAddress& served,
                          std::string_view own_cgroup);

// The 64 hexadecimal digits of a container's id in a cgroup path of Docker, containerd, CRI-O or
// Podman; empty if there is none.
std::string_view ContainerIdOf(std::string_view cgroup);

// "nginx" of ".../system.slice/nginx.service"; empty outside services. A user's manager
// (user@1000.service) is not a service of its own.
std::string_view UnitOf(std::string_view cgroup);

// The program as a person would call it: "nginx", "shop" for `python3 /srv/shop.py`, "app" for
// `java -jar app.jar`.
std::string ProgramName(const ProcessFacts& facts);

}  // namespace kindling::agent
