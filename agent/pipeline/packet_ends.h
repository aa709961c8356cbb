#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "agent/aggregate/edge.h"
#include "agent/capture/conversation.h"
#include "agent/capture/events.h"
#include "agent/pipeline/socket_index.h"
#include "model/edge_labels.h"

namespace kindling::agent {

// The edge that a packet belongs to: that of its connection, or of one that ended a moment ago;
// else its addresses, with the names of whoever has the ports.
//
// The observer is the end that is where the packet was dropped; none where neither is, as on a
// router. Of a packet without ports the source is the client.
//
// Threads: the capture thread only.
// Limits:  remembers kMaxEnded connections that ended within the last kKeepNs to twice that.
class PacketEnds {
 public:
  struct Names {
    std::function<model::EdgeEnds(Conversation&)> of_conversation;
    std::function<model::Party(uint32_t tgid)> of_process;              // nothing of 0
    std::function<std::string(const std::string& address)> of_address;  // its DNS name
  };
  // `sockets` must outlive this.
  PacketEnds(const SocketIndex& sockets, Names names);

  model::EdgeEnds Of(const DropSample& drop) const;
  model::EdgeEnds Of(const DatagramSample& socket) const;

  void OnEnded(const ConnOpen& open, std::shared_ptr<const InternedEdge> edge);
  void OnTick(int64_t boot_ns);

  size_t ended() const { return ended_.size() + ended_before_.size(); }

 private:
  struct Pair {
    model::Transport transport;
    uint32_t netns;
    IpAddress local, remote;
    uint16_t local_port, remote_port;
    bool operator==(const Pair&) const = default;
    template <typename H>
    friend H AbslHashValue(H h, const Pair& p) {
      return H::combine(std::move(h), p.transport, p.netns, p.local.bytes, p.remote.bytes,
                        p.local_port, p.remote_port);
    }
  };
  using Ended = absl::flat_hash_map<Pair, std::shared_ptr<const InternedEdge>>;

  static constexpr size_t kMaxEnded = 8192;
  static constexpr int64_t kKeepNs = 15'000'000'000;  // a window, and some

  static Pair PairOf(const ConnOpen& open);
  const InternedEdge* FindEnded(const ConnOpen& ends) const;
  // Of a connection that is or was known, `ends` seen from either end; false: there is none.
  bool OfConnection(const ConnOpen& ends, model::EdgeEnds* out) const;
  model::EdgeEnds OfAddresses(const ConnOpen& ends, bool is_received) const;
  model::Party PartyOf(uint32_t tgid, const IpAddress& address) const;

  const SocketIndex& sockets_;
  const Names names_;
  Ended ended_, ended_before_;
  int64_t turned_ns_ = 0;
};

}  // namespace kindling::agent
