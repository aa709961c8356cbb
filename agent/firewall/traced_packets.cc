#include "agent/firewall/traced_packets.h"

namespace kindling::agent {

TracedPackets::Added TracedPackets::Add(size_t place, const TraceMessage& message, absl::Time now) {
  const Key key{place, message.packet_id};
  const auto [found, is_new] = open_.try_emplace(key);
  Open& open = found->second;
  if (is_new) {
    order_.push_back(key);
    open.packet.set_time_ns(absl::ToUnixNanos(now));
    if (order_.size() > kMaxOpen) open_.at(order_.front()).is_whole = true;
  }
  open.last = now;
  open.is_whole |= message.is_last;
  v1::TracedPacket& packet = open.packet;
  if (packet.flow().empty()) packet.set_flow(message.flow);
  if (packet.bytes() == 0) packet.set_bytes(message.bytes);
  if (message.is_mark) return {&packet, nullptr};
  if (!message.step.verdict().empty()) packet.set_verdict(message.step.verdict());
  if (packet.steps_size() >= kMaxSteps) return {&packet, nullptr};
  *packet.add_steps() = message.step;
  return {&packet, packet.mutable_steps(packet.steps_size() - 1)};
}

std::vector<v1::TracedPacket> TracedPackets::Take(absl::Time now, bool all) {
  std::vector<v1::TracedPacket> whole;
  std::erase_if(order_, [&](const Key& key) {
    const auto found = open_.find(key);
    if (!all && !found->second.is_whole && now - found->second.last < kIdle) return false;
    whole.push_back(std::move(found->second.packet));
    open_.erase(found);
    return true;
  });
  return whole;
}

}  // namespace kindling::agent
