#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace kindling::agent {

// A network interface of which packets were captured.
struct CapturedInterface {
  uint32_t id = 0;      // from 0 within one capture
  uint32_t source = 0;  // the network namespace, from 0 within one capture
  uint32_t netns = 0;   // inode number of the namespace
  std::string netns_name;
  std::string name;            // "eth0"; "if7" where it was gone before it could be asked for
  uint16_t hardware_type = 0;  // ARPHRD_*
};

// One packet as a packet socket saw it.
// Lifetime: `bytes` is valid only during OnPackets().
struct CapturedPacket {
  uint32_t interface = 0;       // CapturedInterface::id
  uint8_t packet_type = 0;      // PACKET_HOST, PACKET_OUTGOING, ...
  int64_t wall_ns = 0;          // of the kernel
  uint32_t original_bytes = 0;  // before it was cut off at the snap length
  std::span<const std::byte> bytes;
};

// What became of the packets of one network namespace that the filter let through.
struct SourceProgress {
  uint32_t source = 0;
  uint32_t netns = 0;
  uint64_t packets = 0;          // given to the sink
  uint64_t bytes = 0;            // the same as captured
  uint64_t dropped = 0;          // the ring was full: the sink is too slow
  uint64_t over_rate = 0;        // beyond the byte rate asked for
  uint64_t over_interfaces = 0;  // of more interfaces than a capture tells apart
  // Every packet from before this time was given, or is counted above. Wall clock.
  int64_t caught_up_ns = 0;
};

// Takes what a capture captures. While a call lasts the kernel's ring fills, and drops when full.
// Threads: the capture's.
class PacketSink {
 public:
  virtual ~PacketSink() = default;
  // Before the interface's first packet.
  virtual void OnInterface(const CapturedInterface& interface) = 0;
  // Packets of one source, in the order of the kernel.
  virtual void OnPackets(std::span<const CapturedPacket> packets) = 0;
  // Before anything else, several times a second, and after the last packet.
  virtual void OnProgress(std::span<const SourceProgress> sources) = 0;
};

}  // namespace kindling::agent
