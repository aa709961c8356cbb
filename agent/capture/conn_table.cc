#include "agent/capture/conn_table.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace kindling::agent {
namespace {

constexpr int64_t kSweepIntervalNs = 1'000'000'000;

bool IsDatagram(const ConnOpen& open) { return open.transport == model::Transport::kUdp; }

}  // namespace

ConnTable::ConnTable(const Options& options, ConversationSink& sink, SetPayload set_payload)
    : options_(options), sink_(sink), set_payload_(std::move(set_payload)) {}

Conversation* ConnTable::Open(const ConnOpen& event) {
  if (const auto known = conns_.find(event.id); known != conns_.end()) {
    return known->second->conversation.get();
  }
  if (conns_.size() >= options_.max_connections) {
    ++stats_.refused;
    set_payload_(event.id, false);
    return nullptr;
  }
  auto conn = std::make_unique<Conn>(event);
  if (!IsDatagram(event) || event.remote.size != 0) {
    conn->conversation = std::make_unique<Conversation>(event, sink_, conn->account);
  }
  if (event.side != model::Side::kUnknown) {
    conn->account.SetRequestDirection(event.side == model::Side::kClient ? Direction::kSent
                                                                         : Direction::kReceived);
  }
  Conversation* conversation = conn->conversation.get();
  conns_.emplace(event.id, std::move(conn));
  return conversation;
}

Conversation* ConnTable::Find(ConnId id) const {
  const auto found = conns_.find(id);
  return found == conns_.end() ? nullptr : found->second->conversation.get();
}

void ConnTable::ForEach(const std::function<void(Conversation&)>& visit) const {
  for (const auto& [id, conn] : conns_) {
    if (conn->conversation != nullptr) visit(*conn->conversation);
    for (const auto& [key, peer] : conn->peers) visit(*peer.conversation);
  }
}

Conversation* ConnTable::ConversationFor(Conn& conn, const DataEvent& event) {
  if (conn.conversation != nullptr) return conn.conversation.get();
  // Who has only ever asked one peer is answered by that one.
  const Conversation* only =
      conn.peers.size() == 1 ? conn.peers.begin()->second.conversation.get() : nullptr;
  const bool is_answer = event.direction == Direction::kReceived && only != nullptr &&
                         only->side() == model::Side::kClient;
  if (event.remote_unknown && !is_answer) {
    // Nobody's rather than another's. A request that it held is lost, and estimated with the
    // socket's turns; one that waits for what it held is counted as not answered.
    ++stats_.unknown_peers;
    stats_.unknown_peer_bytes += event.size;
    if (conn.open.side != model::Side::kClient) conn.account.OnGivenUp(event.boot_ns);
    return nullptr;
  }
  // A program that does not ask whom a datagram came from takes it for its last peer's.
  const PeerKey key =
      event.remote.size == 0 ? conn.last_peer : PeerKey{event.remote, event.remote_port};
  if (key.address.size == 0) return nullptr;
  conn.last_peer = key;
  std::unique_ptr<Conversation>& peer = conn.peers[key].conversation;
  if (peer == nullptr) {
    if (conn.peers.size() > options_.max_peers_per_socket) {
      conn.peers.erase(key);
      ++stats_.refused_peers;
      return nullptr;
    }
    ConnOpen open = conn.open;
    open.boot_ns = event.boot_ns;
    open.remote = key.address;
    open.remote_port = key.port;
    open.tgid = 0;
    peer = std::make_unique<Conversation>(open, sink_, conn.account);
  }
  return peer.get();
}

void ConnTable::OnData(const DataEvent& event) {
  const auto found = conns_.find(event.id);
  if (found == conns_.end()) {
    ++stats_.unknown_events;
    stats_.unknown_bytes += event.size;
    return;
  }
  Conn& conn = *found->second;
  if (conn.early == nullptr && conn.account.IsNext(event)) return Deliver(conn, event);
  if (conn.early == nullptr) {
    conn.early = std::make_unique<EarlyEvents>();
    early_conns_.insert(event.id);
  }
  early_bytes_ += event.bytes.size();
  conn.early->Add(event);
  const bool is_full = conn.early->size() > kMaxEarlyEvents || early_bytes_ > kMaxEarlyBytes;
  DeliverEarly(conn,
               is_full ? std::numeric_limits<int64_t>::max() : std::numeric_limits<int64_t>::min());
}

void ConnTable::DeliverEarly(Conn& conn, int64_t final_ns) {
  while (!conn.early->empty()) {
    const DataEvent& first = conn.early->front();
    if (!conn.account.IsNext(first) && first.boot_ns > final_ns) return;
    const EarlyEvents::Held held = conn.early->Take();
    early_bytes_ -= held.bytes.size();
    Deliver(conn, held.event);
  }
  early_conns_.erase(conn.open.id);
  conn.early.reset();
}

void ConnTable::Deliver(Conn& conn, const DataEvent& event) {
  LossAccount::Gap gap = conn.account.OnEvent(event);
  Conversation* conversation = ConversationFor(conn, event);
  if (conversation == nullptr) return;
  conversation->SetTask(event.tgid, event.tid);

  if (IsDatagram(conn.open)) {
    // Each stands for itself; a lost one may be the answer that a request still waits for.
    if (gap.bytes > 0 || gap.other_turn) conversation->OnGap(Direction::kReceived, 0);
    gap = {};
  } else {
    const Direction other =
        event.direction == Direction::kSent ? Direction::kReceived : Direction::kSent;
    if (gap.other_turn) conversation->OnGap(other, 0);
    if (gap.bytes > 0) conversation->OnGap(event.direction, gap.bytes);
  }
  if (gap.already_seen < event.size) {
    const size_t skip = std::min<size_t>(gap.already_seen, event.bytes.size());
    Segment segment{.bytes = event.bytes.subspan(skip),
                    .boot_ns = event.boot_ns,
                    .tcp_seq = event.tcp_seq == 0 ? 0 : event.tcp_seq + gap.already_seen,
                    .tid = event.tid};
    segment.unseen_bytes =
        static_cast<uint32_t>(event.size - gap.already_seen - segment.bytes.size());
    conversation->OnSegment(event.direction, segment);
  }
  if (conn.conversation == nullptr) {
    Peer& peer = conn.peers.find(conn.last_peer)->second;
    (event.direction == Direction::kSent ? peer.sent : peer.received) += event.size;
    if (conversation->is_parsed()) peer.sent = peer.received = 0;
  }
  if (conversation->is_parsed()) {  // its bytes are in its records
    conn.reported_sent = conn.account.sent_bytes() - conn.open.sent_bytes;
    conn.reported_received = conn.account.received_bytes() - conn.open.received_bytes;
  }
  if (!conversation->wants_payload() && !conn.payload_off && conn.peers.empty()) {
    conn.payload_off = true;
    set_payload_(event.id, false);
  }
}

void ConnTable::ReportBytes(Conn& conn, bool ended) {
  Conversation* conversation = conn.conversation.get();
  if (conversation == nullptr || conversation->is_parsed()) return;
  // It may turn out to be parsed: then its bytes are in its records. Those of a file are in none.
  if (conversation->wants_payload() && !ended && !conversation->shows_nothing()) return;
  const uint64_t sent = conn.account.sent_bytes() - conn.open.sent_bytes;
  const uint64_t received = conn.account.received_bytes() - conn.open.received_bytes;
  if (sent == conn.reported_sent && received == conn.reported_received) return;
  sink_.OnBytes(*conversation, sent - conn.reported_sent, received - conn.reported_received);
  conn.reported_sent = sent;
  conn.reported_received = received;
}

void ConnTable::ReportBytes(Peer& peer, bool ended) {
  Conversation& conversation = *peer.conversation;
  if (conversation.is_parsed() || (conversation.wants_payload() && !ended)) return;
  if (peer.sent == 0 && peer.received == 0) return;
  sink_.OnBytes(conversation, std::exchange(peer.sent, 0), std::exchange(peer.received, 0));
}

void ConnTable::TellTailGap(Conn& conn, const ConnCounters& end) {
  Conversation* conversation = conn.conversation.get();
  if (conversation == nullptr) return;
  if (end.sent_bytes > conn.account.sent_bytes()) {
    conversation->OnGap(Direction::kSent, end.sent_bytes - conn.account.sent_bytes());
  }
  if (end.received_bytes > conn.account.received_bytes()) {
    conversation->OnGap(Direction::kReceived, end.received_bytes - conn.account.received_bytes());
  }
}

ConnTable::Kind ConnTable::KindOf(const DataEvent& event) const {
  const auto found = conns_.find(event.id);
  if (found == conns_.end()) return {};
  const Conversation* conversation = found->second->conversation.get();
  if (conversation == nullptr) {
    const auto peer = found->second->peers.find(found->second->last_peer);
    if (peer != found->second->peers.end()) conversation = peer->second.conversation.get();
  }
  if (conversation == nullptr) return {};
  return {.protocol = conversation->protocol(), .flow = conversation->FlowOf(event.direction)};
}

void ConnTable::OnCounters(const ConnCounters& event) { unsettled_.push_back(event); }

void ConnTable::Settle(const ConnCounters& counters) {
  const auto found = conns_.find(counters.id);
  if (found == conns_.end()) return;
  Conn& conn = *found->second;
  Conversation* conversation = conn.conversation.get();
  if (conversation == nullptr && !conn.peers.empty()) {
    conversation = conn.peers.begin()->second.conversation.get();
  }
  if (conversation != nullptr && conversation->is_parsed()) {
    // A request whose answer was lost is not an unanswered one.
    if (counters.closed) TellTailGap(conn, counters);
    const uint64_t lost = conn.account.OnCounters(counters);
    if (lost > 0) sink_.OnLost(*conversation, lost);
  } else {
    // With payload off only the counters know how much was moved. While the protocol is open what
    // is missing still shows with the next data.
    const bool wants_payload = conversation == nullptr || conversation->wants_payload();
    if (!wants_payload || counters.closed) conn.account.AdvanceTo(counters);
    ReportBytes(conn, counters.closed);
  }
  if (!counters.closed) return;
  if (conn.conversation != nullptr) conn.conversation->OnClose(counters.boot_ns);
  for (auto& [key, peer] : conn.peers) {
    ReportBytes(peer, /*ended=*/true);
    peer.conversation->OnClose(counters.boot_ns);
  }
  conns_.erase(found);
}

void ConnTable::OnTick(int64_t boot_ns) {
  if (!early_conns_.empty()) {
    std::vector<ConnId> waiting(early_conns_.begin(), early_conns_.end());
    std::ranges::sort(waiting);  // the same order every time
    for (const ConnId id : waiting) DeliverEarly(*conns_.find(id)->second, boot_ns);
  }
  if (!unsettled_.empty()) {
    // The counters know of events that still wait for others.
    const auto later =
        std::partition(unsettled_.begin(), unsettled_.end(), [&](const ConnCounters& counters) {
          return counters.boot_ns <= boot_ns && !early_conns_.contains(counters.id);
        });
    for (auto it = unsettled_.begin(); it != later; ++it) Settle(*it);
    unsettled_.erase(unsettled_.begin(), later);
  }
  if (boot_ns < next_sweep_ns_) return;
  next_sweep_ns_ = boot_ns + kSweepIntervalNs;
  for (auto& [id, conn] : conns_) {
    if (conn->conversation != nullptr) {
      conn->conversation->OnTick(boot_ns, options_.no_response_ns);
      ReportBytes(*conn, /*ended=*/false);
    }
    for (auto it = conn->peers.begin(); it != conn->peers.end();) {
      Conversation& peer = *it->second.conversation;
      peer.OnTick(boot_ns, options_.no_response_ns);
      const bool ended =
          !peer.has_open_request() && boot_ns - peer.last_boot_ns() > options_.idle_peer_ns;
      ReportBytes(it->second, ended);
      if (ended) {
        peer.OnClose(boot_ns);
        conn->peers.erase(it++);
      } else {
        ++it;
      }
    }
  }
}

}  // namespace kindling::agent
