#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/synchronization/mutex.h"
#include "agent/capture/events.h"
#include "agent/packets/packet_flow.h"
#include "model/protocol.h"

namespace kindling::agent {

// Which process a packet belongs to: the sockets that the agent knows, by their addresses. The
// capture thread fills it while somebody captures packets, packet captures ask it.
//
// The kernel's own tables (sock_diag) are not asked: they no longer have a connection that lasted a
// millisecond when its packets are read, and know no process, which would have to be sought among
// the descriptors of all. What the agent knows has both, for what is in its scope.
//
// Threads: any; one lock, which the capture thread takes for each connection while a capture runs.
// Limits:  kMaxSockets; further ones are not told of. A socket that was closed stays for kLingerNs
//          at most, for its last packets are read after it.
class PacketOwners {
 public:
  static constexpr size_t kMaxSockets = 65536;
  static constexpr int64_t kLingerNs = 2'000'000'000;

  // What is said of a process: "process nginx pid 123 workload nginx:80 container 0123456789ab".
  using Owner = std::shared_ptr<const std::string>;

  // A capture that wants owners, for as long as this lives.
  class Use {
   public:
    explicit Use(PacketOwners& owners) : owners_(owners) { ++owners_.users_; }
    ~Use() { --owners_.users_; }
    Use(const Use&) = delete;
    Use& operator=(const Use&) = delete;

   private:
    PacketOwners& owners_;
  };

  bool is_used() const { return users_.load(std::memory_order_relaxed) > 0; }

  // A socket that `owner` has; one that was told of before gets the new one. One without a remote
  // address receives from anybody at its port.
  void Add(const ConnOpen& socket, Owner owner);
  // It no longer has it.
  void Close(const ConnOpen& socket, int64_t boot_ns);
  void OnTick(int64_t boot_ns);
  void Clear();

  // Who sends and who receives a packet in a namespace; null: not known, or not in it.
  struct Ends {
    Owner sender;
    Owner receiver;
  };
  Ends Find(uint32_t netns, const PacketFlow& flow) const;

  size_t size() const;

 private:
  // Of a socket that receives from anybody the remote end is none.
  struct Key {
    uint32_t netns = 0;
    model::Transport transport = model::Transport::kUnknown;
    IpAddress local;
    IpAddress remote;
    uint16_t local_port = 0;
    uint16_t remote_port = 0;
    bool operator==(const Key&) const = default;
    template <typename H>
    friend H AbslHashValue(H h, const Key& key) {
      return H::combine(std::move(h), key.netns, key.transport, key.local.bytes, key.remote.bytes,
                        key.local_port, key.remote_port);
    }
  };
  struct Entry {
    Owner owner;
    ConnId conn = 0;  // an end of an earlier one takes nothing away
  };
  struct Closed {
    Key key;
    ConnId conn;
    int64_t boot_ns;
  };
  // An address of the namespace, as sockets have shown it: what is merely forwarded there goes to
  // no socket that listens on the wildcard address.
  struct Place {
    uint32_t netns = 0;
    IpAddress address;
    bool operator==(const Place&) const = default;
    template <typename H>
    friend H AbslHashValue(H h, const Place& place) {
      return H::combine(std::move(h), place.netns, place.address.bytes);
    }
  };

  static Key KeyOf(const ConnOpen& socket);
  Owner FindEnd(const Key& key) const ABSL_SHARED_LOCKS_REQUIRED(mu_);

  std::atomic<int> users_{0};
  mutable absl::Mutex mu_;
  absl::flat_hash_map<Key, Entry> sockets_ ABSL_GUARDED_BY(mu_);
  absl::flat_hash_set<Place> places_ ABSL_GUARDED_BY(mu_);
  std::deque<Closed> closed_ ABSL_GUARDED_BY(mu_);  // the oldest first
};

}  // namespace kindling::agent
