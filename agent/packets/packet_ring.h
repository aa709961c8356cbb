#pragma once

#include <linux/filter.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/unique_fd.h"

struct tpacket_block_desc;

namespace kindling::agent {

// A packet socket that hears every interface of one network namespace, with a ring that the kernel
// writes packets to (TPACKET_V3 of packet(7)). The kernel fills blocks and hands each over when it
// is full or kRetireMs old.
//
// The socket hears nothing until it is bound, and is bound last: no packet comes that did not pass
// the filter, and the ring holds none from before.
//
// Threads: one, any.
// Limits:  kBlockBytes for each of Options::ring_bytes; a packet longer than a block is cut off.
// Failure: Open() says what the kernel said. CAP_NET_RAW is needed in the namespace, and
//          CAP_SYS_ADMIN to enter it.
class PacketRing {
 public:
  static constexpr size_t kBlockBytes = 256 << 10;
  static constexpr int kRetireMs = 50;

  struct Options {
    std::vector<sock_filter> filter;
    uint32_t snap_bytes = UINT32_MAX;  // as in the filter: a VLAN tag makes packets longer
    size_t ring_bytes = 32 << 20;      // at least two blocks are made
  };
  struct Packet {
    int interface_index = 0;
    uint16_t hardware_type = 0;
    uint8_t packet_type = 0;
    int64_t wall_ns = 0;
    uint32_t original_bytes = 0;
    std::span<const std::byte> bytes;
  };
  struct Counts {
    uint64_t accepted = 0;  // by the filter; those dropped too
    uint64_t dropped = 0;   // for want of room
  };

  // `netns_fd`: the namespace; -1: that of the calling thread.
  static absl::StatusOr<std::unique_ptr<PacketRing>> Open(int netns_fd, const Options& options);
  ~PacketRing();
  PacketRing(const PacketRing&) = delete;
  PacketRing& operator=(const PacketRing&) = delete;

  // Readable when a block is ready.
  int fd() const { return fd_.get(); }

  // The packets of the next block, until Release() gives its room back; nullopt: none is ready, or
  // its last packet is not from before `settled_ns` yet and the ring has room to wait.
  // A VLAN tag that the kernel keeps beside the packet is back in its place.
  std::optional<std::span<const Packet>> Next(int64_t settled_ns);
  void Release();

  // No packet passes any more. What passed before is handed over within kRetireMs.
  absl::Status Reject();

  // Since the ring was opened.
  Counts ReadCounts();

  // The interface's name; "if7" when there is none of this index now.
  std::string NameOf(int interface_index) const;

 private:
  PacketRing() = default;
  absl::Status Listen(const Options& options);
  tpacket_block_desc* BlockAt(size_t index) const;
  bool IsReady(size_t index) const;

  base::UniqueFd fd_;
  std::byte* ring_ = nullptr;
  uint32_t snap_bytes_ = 0;
  size_t blocks_ = 0;
  size_t current_ = 0;
  std::vector<Packet> packets_;
  Counts counts_;
};

}  // namespace kindling::agent
