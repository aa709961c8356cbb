#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "agent/capture/conversation.h"
#include "agent/capture/events.h"

namespace kindling::agent {

// Finds the process at the other end of a conversation when that end is on this host: by the
// reversed address pair, by the peer's AF_UNIX inode, or by who listens on the address.
//
// Threads: the capture thread only.
// Lifetime: a conversation must be removed before it is destroyed.
// Limits:  as many entries as there are conversations, plus kMaxListeners; at that bound UDP ports
//          of the ephemeral range are forgotten first.
class SocketIndex {
 public:
  void Add(Conversation& conversation);
  void Remove(const Conversation& conversation);
  void AddListener(const ListenEvent& event);
  // A datagram socket that is not connected: `conversation` is one of its peers'.
  void AddDatagramSocket(const ConnOpen& socket, uint32_t tgid);

  // Process at the other end; 0 when it is not on this host or not in scope.
  uint32_t PeerOf(const Conversation& conversation) const;

  // Addresses of a network namespace that sockets in scope have used, without loopback.
  void ForEachLocalAddress(uint32_t netns,
                           const std::function<void(const IpAddress&)>& visit) const;

 private:
  struct Pair {
    model::Transport transport;
    uint32_t netns;  // 0 unless the addresses mean something else in each namespace
    IpAddress local, remote;
    uint16_t local_port, remote_port;
    bool operator==(const Pair&) const = default;
    template <typename H>
    friend H AbslHashValue(H h, const Pair& p) {
      return H::combine(std::move(h), p.transport, p.netns, p.local.bytes, p.remote.bytes,
                        p.local_port, p.remote_port);
    }
  };
  struct Port {
    model::Transport transport;
    uint32_t netns;
    uint16_t port;
    bool operator==(const Port&) const = default;
    template <typename H>
    friend H AbslHashValue(H h, const Port& p) {
      return H::combine(std::move(h), p.transport, p.netns, p.port);
    }
  };
  struct AddressHash {
    size_t operator()(const IpAddress& address) const { return absl::HashOf(address.bytes); }
  };

  static Pair PairOf(const ConnOpen& open);
  void LearnAddress(const IpAddress& address, uint32_t netns);
  void SetListener(const Port& port, uint32_t tgid);

  static constexpr size_t kMaxListeners = 16384;
  static constexpr size_t kMaxAddresses = 4096;

  absl::flat_hash_map<Pair, Conversation*> by_pair_;
  absl::flat_hash_map<uint64_t, Conversation*> by_inode_;
  absl::flat_hash_map<Port, uint32_t> listeners_;  // to the process
  absl::flat_hash_map<std::string, uint32_t> unix_listeners_;
  absl::flat_hash_map<IpAddress, uint32_t, AddressHash> address_netns_;
};

// 127.0.0.0/8, ::1 and IPv4-mapped loopback.
bool IsLoopback(const IpAddress& address);
bool IsWildcard(const IpAddress& address);

}  // namespace kindling::agent
