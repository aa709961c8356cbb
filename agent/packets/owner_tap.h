#pragma once

#include <cstdint>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "agent/capture/event_sinks.h"
#include "agent/capture/events.h"
#include "agent/packets/packet_owners.h"
#include "agent/pipeline/pipeline.h"

namespace kindling::agent {

// Stands between the kernel's events and the pipeline and tells PacketOwners of sockets while
// somebody captures packets: first of those that there are, then of those that come and go. When
// nobody does it costs one look at a number for each event.
//
// Threads: the capture thread only.
class OwnerTap final : public ForwardingSink {
 public:
  // `next` leads to `pipeline`. All must outlive this.
  OwnerTap(EventSink& next, Pipeline& pipeline, PacketOwners& owners, std::string own_cgroup)
      : ForwardingSink(next),
        pipeline_(pipeline),
        owners_(owners),
        own_cgroup_(std::move(own_cgroup)) {}

  void OnConnOpen(const ConnOpen& event) override;
  void OnConnCounters(const ConnCounters& event) override;
  void OnData(const DataEvent& event) override;
  void OnListen(const ListenEvent& event) override;
  void OnTick(int64_t boot_ns, int64_t wall_ns) override;

 private:
  static constexpr size_t kMaxUnowned = 4096;

  void TellAll();
  void Tell(const ConnOpen& socket, uint32_t tgid);
  PacketOwners::Owner OwnerOf(uint32_t tgid);

  Pipeline& pipeline_;
  PacketOwners& owners_;
  const std::string own_cgroup_;
  bool is_telling_ = false;
  // Accepted, and not yet used by any process.
  absl::flat_hash_set<ConnId> unowned_;
  absl::flat_hash_map<uint32_t, PacketOwners::Owner> names_;  // by process
  uint64_t names_version_ = 0;
};

}  // namespace kindling::agent
