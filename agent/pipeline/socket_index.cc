#include "agent/pipeline/socket_index.h"

#include <algorithm>
#include <array>

namespace kindling::agent {
namespace {

constexpr uint16_t kFirstEphemeralPort = 32768;  // Linux's usual net.ipv4.ip_local_port_range

}  // namespace

SocketIndex::Pair SocketIndex::PairOf(const ConnOpen& open) {
  return {.transport = open.transport,
          .local = Unmapped(open.local),
          .remote = Unmapped(open.remote),
          .local_port = open.local_port,
          .remote_port = open.remote_port};
}

SocketIndex::Owner* SocketIndex::OwnerOf(const IpAddress& address, uint32_t netns) {
  if (address.size == 0 || IsWildcard(address) || IsLoopback(address)) return nullptr;
  const IpAddress plain = Unmapped(address);
  if (owners_.size() >= kMaxAddresses && !owners_.contains(plain)) return nullptr;
  std::vector<Owner>& owners = owners_[plain];
  const auto known = std::ranges::find(owners, netns, &Owner::netns);
  if (known != owners.end()) return &*known;
  if (owners.size() >= kMaxOwners) {
    std::erase_if(owners, [](const Owner& owner) { return owner.conversations == 0; });
    if (owners.size() >= kMaxOwners) return nullptr;
  }
  return &owners.emplace_back(Owner{.netns = netns});
}

bool SocketIndex::Has(uint32_t netns, const IpAddress& address) const {
  const auto found = owners_.find(Unmapped(address));
  return found != owners_.end() &&
         std::ranges::find(found->second, netns, &Owner::netns) != found->second.end();
}

void SocketIndex::Add(Conversation& conversation) {
  const ConnOpen& open = conversation.open();
  if (open.transport == model::Transport::kUnix) {
    if (open.unix_inode != 0) by_inode_[open.unix_inode] = &conversation;
    return;
  }
  if (open.remote.size != 0) {
    std::vector<Conversation*>& same = by_pair_[PairOf(open)];
    if (std::ranges::find(same, &conversation) != same.end()) return;
    same.push_back(&conversation);
    if (Owner* owner = OwnerOf(open.local, open.netns)) ++owner->conversations;
  }
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
  if (found == by_pair_.end() || std::erase(found->second, &conversation) == 0) return;
  if (found->second.empty()) by_pair_.erase(found);
  if (Has(open.netns, open.local)) --OwnerOf(open.local, open.netns)->conversations;
  if (open.transport == model::Transport::kUdp) {
    RemoveHolder({open.transport, open.netns, open.local_port}, open.id);
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
  OwnerOf(event.local, event.netns);
  AddHolder({event.transport, event.netns, event.port}, {.tgid = event.tgid});
}

void SocketIndex::ForEachListener(
    const std::function<void(model::Transport, uint32_t netns, uint16_t port, uint32_t tgid)>&
        visit) const {
  for (const auto& [port, holders] : holders_) {
    for (const Holder& holder : holders) {
      visit(port.transport, port.netns, port.port, holder.tgid);
    }
  }
}

void SocketIndex::AddHolder(const Port& port, const Holder& holder) {
  if (holder_count_ >= kMaxListeners) {
    // The end of an unconnected client socket is not told: such ports must not crowd out servers.
    absl::erase_if(holders_, [&](const auto& entry) {
      const bool goes = entry.first.transport == model::Transport::kUdp &&
                        entry.first.port >= kFirstEphemeralPort;
      if (goes) holder_count_ -= entry.second.size();
      return goes;
    });
  }
  const auto known = holders_.find(port);
  if (known == holders_.end()) {
    if (holder_count_ >= kMaxListeners) return;
    holders_[port].push_back(holder);
    ++holder_count_;
    return;
  }
  // Of those that listen the last one holds the port; connected sockets share it.
  const auto same = std::ranges::find(known->second, holder.conn, &Holder::conn);
  if (same != known->second.end()) {
    same->tgid = holder.tgid;
  } else if (holder_count_ < kMaxListeners) {
    known->second.push_back(holder);
    ++holder_count_;
  }
}

void SocketIndex::RemoveHolder(const Port& port, ConnId conn) {
  const auto found = holders_.find(port);
  if (found == holders_.end()) return;
  holder_count_ -=
      std::erase_if(found->second, [conn](const Holder& holder) { return holder.conn == conn; });
  if (found->second.empty()) holders_.erase(found);
}

void SocketIndex::AddDatagramSocket(const ConnOpen& socket, uint32_t tgid) {
  OwnerOf(socket.local, socket.netns);
  if (tgid == 0 || socket.local_port == 0) return;
  AddHolder({socket.transport, socket.netns, socket.local_port},
            {.conn = socket.remote.size == 0 ? 0 : socket.id, .tgid = tgid});
}

uint32_t SocketIndex::NetnsOfRemote(const ConnOpen& open) const {
  if (IsLoopback(open.remote)) return open.netns;
  const auto found = owners_.find(Unmapped(open.remote));
  if (found == owners_.end()) return 0;
  const std::vector<Owner>& owners = found->second;
  if (owners.size() == 1) return owners.front().netns;
  if (Has(open.netns, open.remote)) return open.netns;
  // Of a namespace that is gone the address may stay behind, with nothing that uses it.
  uint32_t netns = 0;
  for (const Owner& owner : owners) {
    if (owner.conversations == 0 &&
        !holders_.contains({open.transport, owner.netns, open.remote_port})) {
      continue;
    }
    if (netns != 0) return 0;
    netns = owner.netns;
  }
  return netns;
}

void SocketIndex::ForEach(model::Transport transport, const Endpoint& local, const Endpoint& remote,
                          const std::function<void(Conversation&)>& visit) const {
  const auto found = by_pair_.find({.transport = transport,
                                    .local = Unmapped(local.address),
                                    .remote = Unmapped(remote.address),
                                    .local_port = local.port,
                                    .remote_port = remote.port});
  if (found == by_pair_.end()) return;
  for (Conversation* conversation : found->second) visit(*conversation);
}

uint32_t SocketIndex::PeerOf(const ConnOpen& open, model::Side side) const {
  if (open.transport == model::Transport::kUnix) {
    if (const auto peer = by_inode_.find(open.unix_peer_inode); peer != by_inode_.end()) {
      return peer->second->open().tgid;
    }
    if (side != model::Side::kClient) return 0;
    const auto listener = unix_listeners_.find(open.unix_path);
    return listener == unix_listeners_.end() ? 0 : listener->second;
  }
  const bool is_here = IsLoopback(open.remote) || Has(open.netns, open.remote);
  Pair pair = PairOf(open);
  // Where other namespaces have the same pair of addresses, it is not clear whose the other end is.
  bool is_clear = true;
  if (const auto own = by_pair_.find(pair); own != by_pair_.end()) {
    is_clear = std::ranges::all_of(
        own->second, [&](const Conversation* twin) { return twin->open().netns == open.netns; });
  }
  std::swap(pair.local, pair.remote);
  std::swap(pair.local_port, pair.remote_port);
  if (const auto peers = by_pair_.find(pair); peers != by_pair_.end()) {
    const Conversation* here = nullptr;
    const Conversation* elsewhere = nullptr;
    for (const Conversation* peer : peers->second) {  // the last of a namespace counts
      const uint32_t netns = peer->open().netns;
      if (netns == open.netns) {
        here = peer;
      } else if (!is_here && !IsLoopback(open.local) && !Has(netns, open.local)) {
        // One that has our address in its own namespace talks to that.
        if (elsewhere != nullptr && elsewhere->open().netns != netns) is_clear = false;
        elsewhere = peer;
      }
    }
    if (here == nullptr && elsewhere != nullptr && !is_clear) return 0;
    const Conversation* peer = here != nullptr ? here : elsewhere;
    if (peer != nullptr && peer->open().tgid != 0) return peer->open().tgid;
  }
  const uint32_t netns = NetnsOfRemote(open);
  if (netns == 0) return 0;
  return HolderOf(open.transport, netns, open.remote_port);
}

uint32_t SocketIndex::ListenerOf(const ConnOpen& open) const {
  return HolderOf(open.transport, open.netns, open.local_port);
}

Conversation* SocketIndex::Find(const ConnOpen& ends) const {
  const auto found = by_pair_.find(PairOf(ends));
  if (found == by_pair_.end()) return nullptr;
  for (auto last = found->second.rbegin(); last != found->second.rend(); ++last) {
    if ((*last)->open().netns == ends.netns) return *last;
  }
  return nullptr;
}

Conversation* SocketIndex::FindElsewhere(const ConnOpen& ends) const {
  const auto found = by_pair_.find(PairOf(ends));
  if (found == by_pair_.end()) return nullptr;
  Conversation* only = nullptr;
  for (Conversation* conversation : found->second) {
    if (conversation->open().netns == ends.netns) continue;
    if (only != nullptr && only->open().netns != conversation->open().netns) return nullptr;
    only = conversation;
  }
  return only;
}

uint32_t SocketIndex::HolderOfRemote(const ConnOpen& ends) const {
  const uint32_t netns = NetnsOfRemote(ends);
  return netns == 0 ? 0 : HolderOf(ends.transport, netns, ends.remote_port);
}

bool SocketIndex::IsLocal(uint32_t netns, const IpAddress& address) const {
  return IsLoopback(address) || Has(netns, address);
}

bool SocketIndex::IsOnHost(const IpAddress& address) const {
  return IsLoopback(address) || owners_.contains(Unmapped(address));
}

uint32_t SocketIndex::HolderOf(model::Transport transport, uint32_t netns, uint16_t port) const {
  const auto holders = holders_.find({transport, netns, port});
  return holders == holders_.end() ? 0 : holders->second.back().tgid;
}

void SocketIndex::ForEachLocalAddress(uint32_t netns,
                                      const std::function<void(const IpAddress&)>& visit) const {
  for (const auto& [address, owners] : owners_) {
    if (std::ranges::find(owners, netns, &Owner::netns) != owners.end()) visit(address);
  }
}

}  // namespace kindling::agent
