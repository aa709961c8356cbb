#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "agent/capture/events.h"
#include "agent/kernel/drop_reasons.h"
#include "bpf/wire/drops.h"

namespace kindling::agent {

// Reads the sums that bpf/drops.bpf.h keeps of dropped packets.
//
// The kernel's sums only grow and are not cleared while packets may come, so that none is lost
// between a look and a clearing; what did not grow between two readings is taken out, with what
// came to it last.
//
// Threads: one.
// Limits:  as many sums as the maps hold (bpf/maps/drops.h).
class DropCounters {
 public:
  // The maps kd_drops and kd_drops_beyond, which must outlive this.
  DropCounters(int sums_fd, int beyond_fd, DropReasons reasons)
      : reasons_(std::move(reasons)), sums_{.fd = sums_fd}, beyond_{.fd = beyond_fd} {}

  // Gives what was dropped since the call before.
  absl::Status Read(int64_t boot_ns, EventSink& sink);

 private:
  struct Key {
    kd_drop_key wire;
    bool operator==(const Key& other) const;
    template <typename H>
    friend H AbslHashValue(H h, const Key& key) {
      const auto* bytes = reinterpret_cast<const unsigned char*>(&key.wire);
      return H::combine_contiguous(std::move(h), bytes, sizeof(key.wire));
    }
  };
  struct Sums {
    int fd = -1;
    absl::flat_hash_map<Key, kd_drop_sum> seen;
  };

  absl::Status ReadMap(Sums& sums, int64_t boot_ns, EventSink& sink);
  void Give(const kd_drop_key& key, const kd_drop_sum& before, const kd_drop_sum& now,
            int64_t boot_ns, bool without_ends, EventSink& sink) const;

  const DropReasons reasons_;
  Sums sums_;
  Sums beyond_;
};

}  // namespace kindling::agent
