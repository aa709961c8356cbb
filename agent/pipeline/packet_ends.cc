#include "agent/pipeline/packet_ends.h"

#include <utility>

namespace kindling::agent {
namespace {

using model::Side;

constexpr uint8_t kTcp = 6, kUdp = 17;
constexpr uint16_t kFirstEphemeralPort = 32768;  // Linux's usual net.ipv4.ip_local_port_range

model::Transport TransportOf(uint8_t protocol) {
  return protocol == kTcp   ? model::Transport::kTcp
         : protocol == kUdp ? model::Transport::kUdp
                            : model::Transport::kUnknown;
}

Side Opposite(Side side) {
  return side == Side::kClient   ? Side::kServer
         : side == Side::kServer ? Side::kClient
                                 : Side::kUnknown;
}

ConnOpen Reversed(const ConnOpen& ends) {
  ConnOpen reversed = ends;
  std::swap(reversed.local, reversed.remote);
  std::swap(reversed.local_port, reversed.remote_port);
  return reversed;
}

model::EdgeEnds EndsOf(const Edge& edge) { return {edge.observer, edge.client, edge.server}; }

}  // namespace

PacketEnds::PacketEnds(const SocketIndex& sockets, Names names)
    : sockets_(sockets), names_(std::move(names)) {}

PacketEnds::Pair PacketEnds::PairOf(const ConnOpen& open) {
  return {.transport = open.transport,
          .netns = open.netns,
          .local = Unmapped(open.local),
          .remote = Unmapped(open.remote),
          .local_port = open.local_port,
          .remote_port = open.remote_port};
}

void PacketEnds::OnEnded(const ConnOpen& open, std::shared_ptr<const InternedEdge> edge) {
  if (open.remote.size == 0 || ended_.size() >= kMaxEnded) return;
  ended_[PairOf(open)] = std::move(edge);
}

void PacketEnds::OnTick(int64_t boot_ns) {
  if (boot_ns - turned_ns_ < kKeepNs) return;
  turned_ns_ = boot_ns;
  ended_before_ = std::exchange(ended_, {});
}

const InternedEdge* PacketEnds::FindEnded(const ConnOpen& ends) const {
  const Pair pair = PairOf(ends);
  for (const Ended* ended : {&ended_, &ended_before_}) {
    if (const auto found = ended->find(pair); found != ended->end()) return found->second.get();
  }
  return nullptr;
}

bool PacketEnds::OfConnection(const ConnOpen& ends, model::EdgeEnds* out) const {
  for (const ConnOpen& seen : {ends, Reversed(ends)}) {
    if (Conversation* conversation = sockets_.Find(seen)) {
      *out = names_.of_conversation(*conversation);
      return true;
    }
    if (const InternedEdge* edge = FindEnded(seen)) {
      *out = EndsOf(edge->edge);
      return true;
    }
  }
  // Known from its other end alone, or dropped on the way between the two.
  for (const ConnOpen& seen : {Reversed(ends), ends}) {
    Conversation* conversation = sockets_.FindElsewhere(seen);
    if (conversation == nullptr) continue;
    *out = names_.of_conversation(*conversation);
    out->observer =
        sockets_.IsLocal(ends.netns, seen.remote) ? Opposite(out->observer) : Side::kUnknown;
    return true;
  }
  return false;
}

model::Party PacketEnds::PartyOf(uint32_t tgid, const IpAddress& address) const {
  model::Party party = names_.of_process(tgid);
  party.address = ToString(address);
  if (party.workload.empty()) party.dns_name = names_.of_address(party.address);
  return party;
}

model::EdgeEnds PacketEnds::OfAddresses(const ConnOpen& ends, bool is_received) const {
  const bool has_ports = ends.local_port != 0 || ends.remote_port != 0;
  const bool is_local = sockets_.IsLocal(ends.netns, ends.local);
  // Where packets only pass through, the port may be someone's all the same.
  const bool may_be_local = is_local || !sockets_.IsOnHost(ends.local);
  const uint32_t here = !has_ports     ? 0
                        : may_be_local ? sockets_.ListenerOf(ends)
                                       : sockets_.HolderOfRemote(Reversed(ends));
  const uint32_t there = has_ports ? sockets_.HolderOfRemote(ends) : 0;
  bool is_server = is_received;
  if (has_ports && ends.transport == model::Transport::kTcp && (here != 0) != (there != 0)) {
    is_server = here != 0;  // of TCP only listeners have a port
  } else if (ends.local_port != ends.remote_port) {
    is_server = ends.local_port < ends.remote_port;  // servers have the lower port, nearly always
  }
  model::EdgeEnds out;
  if (is_local || (may_be_local && here != 0))
    out.observer = is_server ? Side::kServer : Side::kClient;
  model::Party& local = is_server ? out.server : out.client;
  model::Party& remote = is_server ? out.client : out.server;
  local = PartyOf(here, ends.local);
  remote = PartyOf(there, ends.remote);
  out.server.port = is_server ? ends.local_port : ends.remote_port;
  return out;
}

model::EdgeEnds PacketEnds::Of(const DropSample& drop) const {
  if (drop.without_ends) {
    const std::string other(model::kOtherName);
    return {.client = {.workload = other}, .server = {.workload = other}};
  }
  if (drop.source.size == 0) return {};
  const bool is_received = drop.direction == Direction::kReceived;
  const ConnOpen sent{.transport = TransportOf(drop.protocol),
                      .netns = drop.netns,
                      .local = drop.source,
                      .remote = drop.destination,
                      .local_port = drop.source_port,
                      .remote_port = drop.destination_port};
  const ConnOpen ends = is_received ? Reversed(sent) : sent;
  model::EdgeEnds out;
  if (drop.source_port != 0 && OfConnection(ends, &out)) return out;
  return OfAddresses(ends, is_received);
}

model::EdgeEnds PacketEnds::Of(const DatagramSample& socket) const {
  model::EdgeEnds out;
  if (socket.remote.size != 0) {
    const ConnOpen ends{.transport = model::Transport::kUdp,
                        .netns = socket.netns,
                        .local = socket.local,
                        .remote = socket.remote,
                        .local_port = socket.local_port,
                        .remote_port = socket.remote_port};
    if (OfConnection(ends, &out)) return out;
    out = OfAddresses(ends, /*is_received=*/true);
    const bool is_server = socket.local_port < socket.remote_port;
    out.observer = is_server ? Side::kServer : Side::kClient;
    model::Party& local = is_server ? out.server : out.client;
    local = PartyOf(socket.tgid, socket.local);
    if (is_server) local.port = socket.local_port;
    return out;
  }
  // A port that the kernel chose names nothing.
  const bool is_server = socket.local_port < kFirstEphemeralPort;
  out.observer = is_server ? Side::kServer : Side::kClient;
  model::Party& local = is_server ? out.server : out.client;
  local = names_.of_process(socket.tgid);
  if (!IsWildcard(socket.local)) local.address = ToString(socket.local);
  if (is_server) local.port = socket.local_port;
  return out;
}

}  // namespace kindling::agent
