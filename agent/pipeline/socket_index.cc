#include "agent/pipeline/socket_index.h"

#include <algorithm>
#include <array>

namespace kindling::agent {
namespace {

constexpr uint16_t kFirstEphemeralPort = 32768;  // Linux's usual net.ipv4.ip_local_port_range

// IPv4-mapped IPv6 as IPv4, so that both ends of a dual-stack connection agree.
IpAddress Unmapped(const IpAddress& address) {
  static constexpr std::array<uint8_t, 12> kMapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  if (address.size != 16 || !std::equal(kMapped.begin(), kMapped.end(), address.bytes.begin())) {
    return address;
  }
  IpAddress ipv4{.size = 4};
  std::copy_n(address.bytes.begin() + 12, 4, ipv4.bytes.begin());
  return ipv4;
}

}  // namespace

bool IsLoopback(const IpAddress& address) {
  const IpAddress plain = Unmapped(address);
  if (plain.size == 4) return plain.bytes[0] == 127;
  return plain.size == 16 && plain.bytes[15] == 1 &&
         std::all_of(plain.bytes.begin(), plain.bytes.begin() + 15,
                     [](uint8_t b) { return b == 0; });
}

bool IsWildcard(const IpAddress& address) {
  return std::all_of(address.bytes.begin(), address.bytes.end(), [](uint8_t b) { return b == 0; });
}

SocketIndex::Pair SocketIndex::PairOf(const ConnOpen& open) {
  const IpAddress local = Unmapped(open.local);
  // Loopback addresses exist once per network namespace.
  return {.transport = open.transport,
          .netns = IsLoopback(local) ? open.netns : 0,
          .local = local,
          .remote = Unmapped(open.remote),
          .local_port = open.local_port,
          .remote_port = open.remote_port};
}

void SocketIndex::LearnAddress(const IpAddress& address, uint32_t netns) {
  if (address.size == 0 || IsWildcard(address) || IsLoopback(address)) return;
  const IpAddress plain = Unmapped(address);
  if (const auto known = address_netns_.find(plain); known != address_netns_.end()) {
    known->second = netns;
  } else if (address_netns_.size() < kMaxAddresses) {
    address_netns_[plain] = netns;
  }
}

void SocketIndex::Add(Conversation& conversation) {
  const ConnOpen& open = conversation.open();
  if (open.transport == model::Transport::kUnix) {
    if (open.unix_inode != 0) by_inode_[open.unix_inode] = &conversation;
    return;
  }
  LearnAddress(open.local, open.netns);
  if (open.remote.size != 0) by_pair_[PairOf(open)] = &conversation;
  // A server that answers on a wildcard address does not know its own, so the pairs differ.
  if (open.transport == model::Transport::kUdp) AddDatagramSocket(open, open.tgid);
}

void SocketIndex::Remove(const Conversation& conversation) {
  const ConnOpen& open = conversation.open();
  if (open.transport == model::Transport::kUnix) {
    const auto found = by_inode_.find(open.unix_inode);
    if (found != by_inode_.end() && found->second == &conversation) by_inode_.erase(found);
    return;
  }
  const auto found = by_pair_.find(PairOf(open));
  if (found == by_pair_.end() || found->second != &conversation) return;
  by_pair_.erase(found);
  if (open.transport == model::Transport::kUdp) {
    listeners_.erase({open.transport, open.netns, open.local_port});
  }
}

void SocketIndex::AddListener(const ListenEvent& event) {
  if (event.tgid == 0) return;
  if (event.transport == model::Transport::kUnix) {
    if (const auto known = unix_listeners_.find(event.unix_path); known != unix_listeners_.end()) {
      known->second = event.tgid;
    } else if (unix_listeners_.size() < kMaxListeners) {
      unix_listeners_[event.unix_path] = event.tgid;
    }
    return;
  }
  LearnAddress(event.local, event.netns);
  SetListener({event.transport, event.netns, event.port}, event.tgid);
}

void SocketIndex::SetListener(const Port& port, uint32_t tgid) {
  if (const auto known = listeners_.find(port); known != listeners_.end()) {
    known->second = tgid;
    return;
  }
  if (listeners_.size() >= kMaxListeners) {
    // The end of an unconnected client socket is not told: such ports must not crowd out servers.
    absl::erase_if(listeners_, [](const auto& entry) {
      return entry.first.transport == model::Transport::kUdp &&
             entry.first.port >= kFirstEphemeralPort;
    });
    if (listeners_.size() >= kMaxListeners) return;
  }
  listeners_[port] = tgid;
}

void SocketIndex::AddDatagramSocket(const ConnOpen& socket, uint32_t tgid) {
  LearnAddress(socket.local, socket.netns);
  if (tgid == 0 || socket.local_port == 0) return;
  SetListener({socket.transport, socket.netns, socket.local_port}, tgid);
}

uint32_t SocketIndex::PeerOf(const Conversation& conversation) const {
  const ConnOpen& open = conversation.open();
  if (open.transport == model::Transport::kUnix) {
    if (const auto peer = by_inode_.find(open.unix_peer_inode); peer != by_inode_.end()) {
      return peer->second->open().tgid;
    }
    if (conversation.side() != model::Side::kClient) return 0;
    const auto listener = unix_listeners_.find(open.unix_path);
    return listener == unix_listeners_.end() ? 0 : listener->second;
  }
  Pair reversed = PairOf(open);
  std::swap(reversed.local, reversed.remote);
  std::swap(reversed.local_port, reversed.remote_port);
  if (const auto peer = by_pair_.find(reversed);
      peer != by_pair_.end() && peer->second->open().tgid != 0) {
    return peer->second->open().tgid;
  }
  uint32_t netns = open.netns;
  if (!IsLoopback(open.remote)) {
    const auto owner = address_netns_.find(Unmapped(open.remote));
    if (owner == address_netns_.end()) return 0;
    netns = owner->second;
  }
  const auto listener = listeners_.find({open.transport, netns, open.remote_port});
  return listener == listeners_.end() ? 0 : listener->second;
}

void SocketIndex::ForEachLocalAddress(uint32_t netns,
                                      const std::function<void(const IpAddress&)>& visit) const {
  for (const auto& [address, owner] : address_netns_) {
    if (owner == netns) visit(address);
  }
}

}  // namespace kindling::agent
