#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "agent/capture/events.h"
#include "agent/kernel/kernel_scope.h"
#include "agent/kernel/kernel_source.h"
#include "model/packet_path.h"

namespace kindling::agent {

// Which packets to follow: those from one end to the other, and the answers. An end without
// addresses is any; both may not be.
struct PathSourceOptions {
  ScopeOptions scope;                // of network namespaces, or the host
  std::vector<std::string> disable;  // rows of the attach table, by hook
  std::vector<IpAddress> from;
  std::vector<IpAddress> to;
  uint16_t port = 0;              // of the end `to`; 0: any
  uint8_t protocol = 0;           // IP's number; 0: any
  uint32_t packets_per_s = 1000;  // followed at most; others are counted
  uint32_t ring_bytes = 1 << 20;  // a power of two, from a page
  std::string proc_root = "/proc";
};

struct KernelTuple {
  IpAddress source;
  IpAddress destination;
  uint16_t source_port = 0;
  uint16_t destination_port = 0;
  uint8_t protocol = 0;
};

// One packet at one place, as the kernel tells it.
struct KernelHop {
  int64_t boot_ns = 0;
  uint64_t packet = 0;    // the same as long as the kernel hands one packet on
  uint64_t location = 0;  // of a drop: the address of the code
  model::PathPlace place = model::PathPlace::kUnknown;
  KernelTuple tuple;
  KernelTuple carrier;  // VXLAN's own; no addresses: none
  uint32_t vni = 0;
  uint32_t netns = 0;
  uint32_t interface = 0;    // its index there; 0: none
  uint32_t received_by = 0;  // the one that it came in by; 0: none
  uint32_t sequence = 0;     // TCP's, of ICMP its id and number, of UDP the first payload bytes
  uint32_t payload_bytes = 0;
  uint32_t mark = 0;
  uint32_t reason = 0;  // of a drop: enum skb_drop_reason; of ICMP: type << 8 | code
  uint32_t tgid = 0;    // of who reads
  uint16_t ip_id = 0;
  uint8_t tcp_flags = 0;
  bool is_reply = false;
  bool is_new = false;
  bool of_socket = false;
  bool is_fragment = false;
  bool is_routed = false;    // a route was found, and it is ...
  bool is_local = false;     // ... to the host itself
  bool at_a_bridge = false;  // the device is a port of one
  std::string device;
  std::string detail;
};

// What the kernel's programs could not tell.
struct PathLoss {
  uint64_t hops = 0;     // the ring was full
  uint64_t packets = 0;  // beyond the rate
  uint64_t unread = 0;   // followed, but its headers could not be read
};

// The BPF programs that follow packets: in the kernel for as long as this object lives, and nothing
// of them before and after.
// Threads: one.
// Limits:  one ring of the size given; what finds it full is counted. 8192 packets and as many
//          tuples are known at once, the oldest give way.
class PathSource {
 public:
  // Loads and attaches. A hook that is not there or is disabled is in missing().
  // Failure: one line that says what is wrong and what to do; no hook at all is one.
  static absl::StatusOr<std::unique_ptr<PathSource>> Open(const PathSourceOptions& options);
  virtual ~PathSource() = default;

  virtual const std::vector<MissingHook>& missing() const = 0;
  // Gives all that was told since the last call, in the order of the ring.
  virtual void Drain(const std::function<void(const KernelHop&)>& sink) = 0;
  virtual PathLoss loss() const = 0;
};

}  // namespace kindling::agent
