#pragma once

#include <cstdint>
#include <string>
#include <string_view>

// The way of packets through one or several hosts, as it is shown.
namespace kindling::model {

// Where in the kernel a packet was seen. Sent between agent and controller: never renumber.
enum class PathPlace : uint8_t {
  kUnknown = 0,
  kQueued = 1,        // handed to a device: before its queue discipline
  kQdiscIn = 2,       // into the queue discipline
  kQdiscOut = 3,      // out of it
  kTransmit = 4,      // given to the driver
  kGro = 5,           // from the driver, before segments are joined
  kBacklog = 6,       // into the queue of packets received
  kReceived = 7,      // into the network stack: before bridges, netfilter and routing
  kSocket = 8,        // at an established TCP socket
  kRead = 9,          // copied to a process that reads
  kConsumed = 10,     // its end, no fault
  kDropped = 11,      // its end, with a reason
  kIcmp = 12,         // answered with an ICMP error
  kReceiveFull = 13,  // the socket's receive queue has no room
};
constexpr PathPlace kLastPathPlace = PathPlace::kReceiveFull;
// "queued", "into qdisc"; "" for none.
std::string_view Name(PathPlace place);
// A value from outside; kUnknown where it is none.
PathPlace ToPathPlace(uint64_t value);

// Source and destination of a packet. An address is text, "10.0.0.1" or "fe80::1".
struct PathTuple {
  std::string source;
  std::string destination;
  uint16_t source_port = 0;  // 0: none
  uint16_t destination_port = 0;
  uint8_t protocol = 0;  // IP's number
  bool operator==(const PathTuple&) const = default;
  bool empty() const { return source.empty() && destination.empty(); }
};
// "10.0.0.2:4000 -> 10.0.0.1:80"; IPv6 in brackets where there is a port.
std::string ToString(const PathTuple& tuple);
// "tcp", "udp", "icmp", else "protocol 47".
std::string ProtocolName(uint8_t protocol);

// One packet at one place.
struct PathHop {
  std::string node;     // which agent saw it
  uint64_t packet = 0;  // of that agent: the same as long as its kernel hands one packet on
  int64_t wall_ns = 0;  // by the clock of its host; compared within a host, it is exact
  PathPlace place = PathPlace::kUnknown;
  PathTuple tuple;    // of the inner packet, where VXLAN carries it
  PathTuple carrier;  // VXLAN's own addresses; empty: none
  uint32_t vni = 0;
  std::string network_namespace;  // its name, or "net:[4026531840]"
  std::string device;             // "" where none is known
  std::string detail;             // kind of queue discipline; who reads, with pid; ICMP's message
  std::string reason;             // of a drop, the kernel's name: "netfilter_drop"
  std::string location;           // of a drop: function and where it is in the stack
  uint32_t sequence = 0;          // with `ip_id`, tells packets of one flow apart
  uint32_t payload_bytes = 0;
  uint16_t ip_id = 0;
  uint8_t tcp_flags = 0;
  uint32_t mark = 0;
  bool is_reply = false;     // from the end that was asked for as `to`
  bool is_new = false;       // its agent tells of this packet for the first time
  bool of_socket = false;    // a socket of this host holds it
  bool is_fragment = false;  // of an IP packet
};

// "SYN", "SYN ACK", "FIN ACK"; "" for none.
std::string TcpFlagNames(uint8_t flags);

}  // namespace kindling::model
