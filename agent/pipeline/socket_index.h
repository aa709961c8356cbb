#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "agent/capture/conversation.h"
#include "agent/capture/events.h"

namespace kindling::agent {

// Finds the process at the other end of a conversation when that end is on this host: by the
// reversed address pair, by the peer's AF_UNIX inode, or by who listens on the address.
//
// The same private address may exist in several network namespaces. An address that the
// conversation's own namespace has means that one; another's is taken only where there is one that
// it can be. Else the peer is not known.
//
// Threads: the capture thread only.
// Lifetime: a conversation must be removed before it is destroyed.
// Limits:  as many entries as there are conversations, plus kMaxListeners; at that bound UDP ports
//          of the ephemeral range are forgotten first. kMaxAddresses addresses, each in up to
//          kMaxOwners namespaces; one in more is nobody's.
class SocketIndex {
 public:
  void Add(Conversation& conversation);
  void Remove(const Conversation& conversation);
  void AddListener(const ListenEvent& event);
  // A datagram socket that is not connected: `conversation` is one of its peers'.
  void AddDatagramSocket(const ConnOpen& socket, uint32_t tgid);

  // Process at the other end; 0 when it is not on this host or not in scope.
  uint32_t PeerOf(const Conversation& conversation) const {
    return PeerOf(conversation.open(), conversation.side());
  }
  // The same of a connection with addresses as its other end has them.
  uint32_t PeerOf(const ConnOpen& open, model::Side side) const;

  // The conversations with a pair of addresses, of any namespace.
  void ForEach(model::Transport transport, const Endpoint& local, const Endpoint& remote,
               const std::function<void(Conversation&)>& visit) const;

  // Who listens where a connection was accepted; 0: not known.
  uint32_t ListenerOf(const ConnOpen& open) const;

  // Who has which TCP or UDP port to receive at.
  void ForEachListener(const std::function<void(model::Transport, uint32_t netns, uint16_t port,
                                                uint32_t tgid)>& visit) const;

  // The conversation whose own end is `ends.local`, in its namespace; null: none known.
  Conversation* Find(const ConnOpen& ends) const;
  // The same of the only other namespace that has one; null where there are several.
  Conversation* FindElsewhere(const ConnOpen& ends) const;
  // Who has the port of `ends.remote`, wherever on this host that is; 0: not known.
  uint32_t HolderOfRemote(const ConnOpen& ends) const;
  // Has a socket in scope used the address in this namespace? Loopback is everybody's.
  bool IsLocal(uint32_t netns, const IpAddress& address) const;
  // ... in any?
  bool IsOnHost(const IpAddress& address) const;

  // Addresses of a network namespace that sockets in scope have used, without loopback.
  void ForEachLocalAddress(uint32_t netns,
                           const std::function<void(const IpAddress&)>& visit) const;

 private:
  struct Pair {
    model::Transport transport;
    IpAddress local, remote;
    uint16_t local_port, remote_port;
    bool operator==(const Pair&) const = default;
    template <typename H>
    friend H AbslHashValue(H h, const Pair& p) {
      return H::combine(std::move(h), p.transport, p.local.bytes, p.remote.bytes, p.local_port,
                        p.remote_port);
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
  // Who has a port: the last one to be told of is asked first.
  struct Holder {
    ConnId conn = 0;  // of a connected datagram socket; 0: it listens
    uint32_t tgid = 0;
  };
  struct Owner {
    uint32_t netns = 0;
    uint32_t conversations = 0;  // that have the address now
  };
  struct AddressHash {
    size_t operator()(const IpAddress& address) const { return absl::HashOf(address.bytes); }
  };

  static Pair PairOf(const ConnOpen& open);
  // The namespace's entry of the address; null for what every namespace has, or at a bound.
  Owner* OwnerOf(const IpAddress& address, uint32_t netns);
  bool Has(uint32_t netns, const IpAddress& address) const;
  // The namespace that a conversation's remote address is in; 0: none or not clear.
  uint32_t NetnsOfRemote(const ConnOpen& open) const;
  // The process that has the port; 0: none known.
  uint32_t HolderOf(model::Transport transport, uint32_t netns, uint16_t port) const;
  void AddHolder(const Port& port, const Holder& holder);
  void RemoveHolder(const Port& port, ConnId conn);

  static constexpr size_t kMaxListeners = 16384;
  static constexpr size_t kMaxAddresses = 4096;
  static constexpr size_t kMaxOwners = 64;

  // More than one where namespaces have the same addresses.
  absl::flat_hash_map<Pair, std::vector<Conversation*>> by_pair_;
  absl::flat_hash_map<uint64_t, Conversation*> by_inode_;
  absl::flat_hash_map<Port, std::vector<Holder>> holders_;
  size_t holder_count_ = 0;
  absl::flat_hash_map<std::string, uint32_t> unix_listeners_;
  absl::flat_hash_map<IpAddress, std::vector<Owner>, AddressHash> owners_;
};

// IPv4-mapped IPv6 as IPv4, so that both ends of a dual-stack connection agree.
IpAddress Unmapped(const IpAddress& address);
}  // namespace kindling::agent
