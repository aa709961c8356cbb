#include "agent/packets/packet_owners.h"

#include <algorithm>

namespace kindling::agent {
namespace {

// 0.0.0.0 and :: are the same to a socket of both families.
IpAddress LocalOf(const IpAddress& address) {
  const IpAddress plain = Unmapped(address);
  return IsWildcard(plain) ? IpAddress() : plain;
}

}  // namespace

PacketOwners::Key PacketOwners::KeyOf(const ConnOpen& socket) {
  return {.netns = socket.netns,
          .transport = socket.transport,
          .local = LocalOf(socket.local),
          .remote = Unmapped(socket.remote),
          .local_port = socket.local_port,
          .remote_port = socket.remote.size == 0 ? uint16_t{0} : socket.remote_port};
}

void PacketOwners::Add(const ConnOpen& socket, Owner owner) {
  if (socket.transport != model::Transport::kTcp && socket.transport != model::Transport::kUdp) {
    return;
  }
  const Key key = KeyOf(socket);
  absl::MutexLock lock(&mu_);
  if (sockets_.size() >= kMaxSockets && !sockets_.contains(key)) return;
  sockets_[key] = {.owner = std::move(owner), .conn = socket.id};
  if (key.local.size != 0 && places_.size() < kMaxSockets) places_.insert({key.netns, key.local});
}

void PacketOwners::Close(const ConnOpen& socket, int64_t boot_ns) {
  const Key key = KeyOf(socket);
  absl::MutexLock lock(&mu_);
  if (sockets_.contains(key)) closed_.push_back({key, socket.id, boot_ns});
}

void PacketOwners::OnTick(int64_t boot_ns) {
  absl::MutexLock lock(&mu_);
  const bool is_crowded = sockets_.size() >= kMaxSockets;
  while (!closed_.empty() && (is_crowded || closed_.front().boot_ns + kLingerNs < boot_ns)) {
    const auto found = sockets_.find(closed_.front().key);
    if (found != sockets_.end() && found->second.conn == closed_.front().conn) {
      sockets_.erase(found);
    }
    closed_.pop_front();
  }
}

void PacketOwners::Clear() {
  absl::MutexLock lock(&mu_);
  sockets_.clear();
  places_.clear();
  closed_.clear();
}

PacketOwners::Owner PacketOwners::FindEnd(const Key& key) const {
  Key asked = key;
  if (const auto found = sockets_.find(asked); found != sockets_.end()) return found->second.owner;
  // A SYN, or a datagram, comes before there is a socket of its own for it.
  asked.remote = {};
  asked.remote_port = 0;
  if (const auto found = sockets_.find(asked); found != sockets_.end()) return found->second.owner;
  if (!IsLoopback(key.local) && !places_.contains({key.netns, key.local})) return nullptr;
  asked.local = {};
  const auto found = sockets_.find(asked);
  return found == sockets_.end() ? nullptr : found->second.owner;
}

PacketOwners::Ends PacketOwners::Find(uint32_t netns, const PacketFlow& flow) const {
  const Key sender{.netns = netns,
                   .transport = flow.transport,
                   .local = flow.source,
                   .remote = flow.destination,
                   .local_port = flow.source_port,
                   .remote_port = flow.destination_port};
  const Key receiver{.netns = netns,
                     .transport = flow.transport,
                     .local = flow.destination,
                     .remote = flow.source,
                     .local_port = flow.destination_port,
                     .remote_port = flow.source_port};
  absl::ReaderMutexLock lock(&mu_);
  return {.sender = FindEnd(sender), .receiver = FindEnd(receiver)};
}

size_t PacketOwners::size() const {
  absl::ReaderMutexLock lock(&mu_);
  return sockets_.size();
}

}  // namespace kindling::agent
