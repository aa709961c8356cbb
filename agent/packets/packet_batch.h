#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "agent/packets/packet.h"
#include "agent/packets/packet_owners.h"
#include "kindling/v1/packets.pb.h"

namespace kindling::agent {

// Makes messages of what a capture captures, with the owners of the packets.
//
// Threads: the capture's.
// Limits:  one message for each call, so of at most a ring's block.
class PacketBatcher final : public PacketSink {
 public:
  // Takes a message; blocks where the way on is slow, which makes the capture drop.
  using Emit = std::function<void(v1::PacketCaptureOutput)>;

  // `owners`: null for none; it must outlive this.
  PacketBatcher(const PacketOwners* owners, Emit emit) : owners_(owners), emit_(std::move(emit)) {}

  void OnInterface(const CapturedInterface& interface) override;
  void OnPackets(std::span<const CapturedPacket> packets) override;
  void OnProgress(std::span<const SourceProgress> sources) override;

 private:
  struct Interface {
    uint32_t source = 0;
    uint32_t netns = 0;
    bool has_link_layer = true;
  };
  using OwnerNumbers = absl::flat_hash_map<PacketOwners::Owner, uint32_t>;

  // The owner's number in the batch's list, plus 1; 0 for none.
  static uint32_t NumberOf(const PacketOwners::Owner& owner, OwnerNumbers& numbers,
                           v1::PacketBatch& batch);

  const PacketOwners* owners_;
  const Emit emit_;
  absl::flat_hash_map<uint32_t, Interface> interfaces_;
};

}  // namespace kindling::agent
