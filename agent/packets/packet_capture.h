#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/packets/packet.h"
#include "agent/packets/packet_ring.h"
#include "base/clock.h"
#include "base/unique_fd.h"

namespace kindling::agent {

struct PacketCaptureOptions {
  std::string filter;       // pcap-filter(7); empty: everything
  uint32_t snap_bytes = 0;  // of each packet; 0: kMaxSnapBytes
  uint64_t max_bytes = 0;   // as captured, in all; 0: no cap, as the following
  uint64_t max_packets = 0;
  int64_t duration_ns = 0;
  uint64_t bytes_per_second = 0;  // as captured; packets beyond are left out and counted
  size_t ring_bytes = 32 << 20;   // of all namespaces together
  // A packet is given when it is this old, if the ring has room to wait: by then more is known of
  // it.
  int64_t settle_ns = 0;

  static constexpr uint32_t kMaxSnapBytes = 256 << 10;
};

struct CaptureNamespace {
  base::UniqueFd fd;   // -1: the calling thread's own
  uint32_t inode = 0;  // of the namespace
  std::string name;    // for people: "/run/netns/shop"
};

// Captures the packets of all interfaces of some network namespaces.
//
// Threads: one, any; no other part of the agent's.
// Limits:  Options::ring_bytes, at least two blocks for each namespace, and kMaxNamespaces of them;
//          kMaxInterfaces. A slow sink makes the rings drop, which is counted.
class PacketCapture {
 public:
  static constexpr size_t kMaxNamespaces = 64;
  static constexpr size_t kMaxInterfaces = 4096;

  enum class End : uint8_t { kStopped, kDuration, kMaxBytes, kMaxPackets };

  // Packets are kept from now on. InvalidArgument for a filter that does not compile, in libpcap's
  // words. `clock` must outlive this.
  static absl::StatusOr<std::unique_ptr<PacketCapture>> Open(
      const PacketCaptureOptions& options, std::span<const CaptureNamespace> namespaces,
      const base::Clock& clock);
  ~PacketCapture();

  // Gives packets to `sink` until a cap is reached or `stopped` says so; it is asked many times a
  // second. What passed the filter before that is given too, caps apart. Call once.
  End Run(PacketSink& sink, const std::function<bool()>& stopped);

 private:
  struct Source;
  class RateLimit;

  PacketCapture(const PacketCaptureOptions& options, const base::Clock& clock);
  // False: a cap is reached.
  bool Read(Source& source, PacketSink& sink);
  bool Give(Source& source, std::span<const PacketRing::Packet> packets, PacketSink& sink);
  // The interface's id; nullopt: there are too many.
  std::optional<uint32_t> InterfaceOf(Source& source, const PacketRing::Packet& packet,
                                      PacketSink& sink);
  void TellProgress(PacketSink& sink);
  // Until there may be something to give.
  void Wait();
  void Finish(PacketSink& sink);

  const PacketCaptureOptions options_;
  const base::Clock& clock_;
  std::vector<std::unique_ptr<Source>> sources_;
  std::unique_ptr<RateLimit> rate_;
  absl::flat_hash_map<std::pair<uint32_t, int>, uint32_t> interfaces_;  // source, index -> id
  std::vector<CapturedPacket> given_;
  uint64_t packets_ = 0;
  uint64_t bytes_ = 0;
  End end_ = End::kStopped;
};

}  // namespace kindling::agent
