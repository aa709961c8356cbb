#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "agent/capture/conversation.h"
#include "agent/capture/early_events.h"
#include "agent/capture/events.h"
#include "agent/capture/loss_account.h"

namespace kindling::agent {

// Every connection in scope: orders and checks its events, keeps its loss account and hands the
// bytes to its conversations.
//
// Threads: the capture thread only.
// Limits:  Options::max_connections; further ones are refused and counted in stats().refused.
// Events
//          that came ahead of others wait until a tick says that the others are lost, at most
//          kMaxEarlyEvents of a connection and kMaxEarlyBytes in all.
class ConnTable {
 public:
  struct Options {
    size_t max_connections = 65536;
    size_t max_peers_per_socket = 4096;  // remotes of one unconnected UDP socket
    int64_t no_response_ns = 120'000'000'000;
    int64_t idle_peer_ns = 30'000'000'000;
  };
  struct Stats {
    uint64_t refused = 0;         // connections beyond the cap
    uint64_t unknown_events = 0;  // data of connections that never opened
    uint64_t unknown_bytes = 0;
    uint64_t refused_peers = 0;  // datagrams beyond max_peers_per_socket
    uint64_t unknown_peers = 0;  // datagrams whose peer could not be had
    uint64_t unknown_peer_bytes = 0;
  };
  // Tells the kernel side whether a connection's payload is still wanted.
  using SetPayload = std::function<void(ConnId, bool wanted)>;

  // `sink` must outlive this.
  ConnTable(const Options& options, ConversationSink& sink, SetPayload set_payload);

  // The connection's conversation with its only peer; null for an unconnected UDP socket or when
  // refused.
  Conversation* Open(const ConnOpen& event);
  void OnData(const DataEvent& event);
  void OnCounters(const ConnCounters& event);
  void OnTick(int64_t boot_ns);

  // The conversation of an open connection with its only peer; null where there is none.
  Conversation* Find(ConnId id) const;

  // Each conversation that is open, with its connection.
  void ForEach(const std::function<void(Conversation&)>& visit) const;

  // What an event turned out to be, once OnData() has taken it; kUnknown for a connection not
  // followed.
  struct Kind {
    model::Protocol protocol = model::Protocol::kUnknown;
    Flow flow = Flow::kRequest;
  };
  Kind KindOf(const DataEvent& event) const;

  size_t size() const { return conns_.size(); }
  const Stats& stats() const { return stats_; }

 private:
  struct PeerKey {
    IpAddress address;
    uint16_t port = 0;
    bool operator==(const PeerKey&) const = default;
    template <typename H>
    friend H AbslHashValue(H h, const PeerKey& key) {
      return H::combine(std::move(h), key.address.bytes, key.port);
    }
  };
  // One remote of an unconnected UDP socket, with its bytes that were not reported yet.
  struct Peer {
    std::unique_ptr<Conversation> conversation;
    uint64_t sent = 0;
    uint64_t received = 0;
  };
  struct Conn {
    explicit Conn(const ConnOpen& open)
        : open(open), account(open.sent_bytes, open.received_bytes) {}
    ConnOpen open;
    LossAccount account;
    std::unique_ptr<Conversation>
        conversation;  // with the only peer; null for a socket with several
    absl::flat_hash_map<PeerKey, Peer> peers;
    PeerKey last_peer;  // of the datagram before
    uint64_t reported_sent = 0;
    uint64_t reported_received = 0;
    bool payload_off = false;
    std::unique_ptr<EarlyEvents> early;  // null: none
  };

  static constexpr size_t kMaxEarlyEvents = 64;
  static constexpr size_t kMaxEarlyBytes = 4 << 20;

  void Deliver(Conn& conn, const DataEvent& event);
  // Of what waits at `conn` what need not wait any more: what is missing before an event of up to
  // `final_ns` is lost.
  void DeliverEarly(Conn& conn, int64_t final_ns);
  Conversation* ConversationFor(Conn& conn, const DataEvent& event);
  // A conversation whose protocol is still open reports when it is `ended`.
  void ReportBytes(Conn& conn, bool ended);
  void ReportBytes(Peer& peer, bool ended);
  // What was lost after a connection's last event.
  void TellTailGap(Conn& conn, const ConnCounters& end);
  void Settle(const ConnCounters& counters);

  const Options options_;
  ConversationSink& sink_;
  const SetPayload set_payload_;
  absl::flat_hash_map<ConnId, std::unique_ptr<Conn>> conns_;
  // Counters read by a sweep wait until all events before them have been drained.
  std::vector<ConnCounters> unsettled_;
  absl::flat_hash_set<ConnId> early_conns_;
  size_t early_bytes_ = 0;
  int64_t next_sweep_ns_ = 0;
  Stats stats_;
};

}  // namespace kindling::agent
