#include "agent/packets/packet_batch.h"

#include <optional>
#include <utility>

#include "agent/packets/packet_flow.h"
#include "base/byte_reader.h"
#include "base/packet_filter.h"
#include "base/pcapng.h"

namespace kindling::agent {

void PacketBatcher::OnInterface(const CapturedInterface& interface) {
  const bool is_raw = base::HasNoLinkLayer(interface.hardware_type);
  interfaces_[interface.id] = {
      .source = interface.source, .netns = interface.netns, .has_link_layer = !is_raw};
  v1::PacketCaptureOutput output;
  v1::PacketInterface& out = *output.mutable_interface();
  out.set_id(interface.id);
  out.set_source(interface.source);
  out.set_netns(interface.netns);
  out.set_netns_name(interface.netns_name);
  out.set_name(interface.name);
  out.set_link_type(
      static_cast<uint32_t>(is_raw ? base::PcapngLink::kRawIp : base::PcapngLink::kEthernet));
  emit_(std::move(output));
}

uint32_t PacketBatcher::NumberOf(const PacketOwners::Owner& owner, OwnerNumbers& numbers,
                                 v1::PacketBatch& batch) {
  if (owner == nullptr) return 0;
  const auto [found, is_new] =
      numbers.try_emplace(owner, static_cast<uint32_t>(batch.owners_size() + 1));
  if (is_new) batch.add_owners(*owner);
  return found->second;
}

void PacketBatcher::OnPackets(std::span<const CapturedPacket> packets) {
  v1::PacketCaptureOutput output;
  v1::PacketBatch& batch = *output.mutable_batch();
  const int count = static_cast<int>(packets.size());
  for (auto* column :
       {batch.mutable_interface(), batch.mutable_packet_type(), batch.mutable_original_bytes(),
        batch.mutable_captured_bytes(), batch.mutable_sender(), batch.mutable_receiver()}) {
    column->Reserve(count);
  }
  batch.mutable_time_delta_ns()->Reserve(count);
  size_t bytes = 0;
  for (const CapturedPacket& packet : packets) bytes += packet.bytes.size();
  batch.mutable_data()->reserve(bytes);

  OwnerNumbers numbers;
  int64_t before_ns = 0;
  for (const CapturedPacket& packet : packets) {
    const Interface& interface = interfaces_[packet.interface];
    batch.set_source(interface.source);
    batch.add_interface(packet.interface);
    batch.add_packet_type(packet.packet_type);
    batch.add_time_delta_ns(packet.wall_ns - before_ns);
    before_ns = packet.wall_ns;
    batch.add_original_bytes(packet.original_bytes);
    batch.add_captured_bytes(static_cast<uint32_t>(packet.bytes.size()));
    batch.mutable_data()->append(base::AsText(packet.bytes));
    PacketOwners::Ends ends;
    if (owners_ != nullptr) {
      const std::optional<PacketFlow> flow = FlowOfPacket(packet.bytes, interface.has_link_layer);
      if (flow) ends = owners_->Find(interface.netns, *flow);
    }
    batch.add_sender(NumberOf(ends.sender, numbers, batch));
    batch.add_receiver(NumberOf(ends.receiver, numbers, batch));
  }
  emit_(std::move(output));
}

void PacketBatcher::OnProgress(std::span<const SourceProgress> sources) {
  v1::PacketCaptureOutput output;
  v1::PacketProgress& progress = *output.mutable_progress();
  for (const SourceProgress& source : sources) {
    v1::PacketSource& out = *progress.add_sources();
    out.set_source(source.source);
    out.set_packets(source.packets);
    out.set_bytes(source.bytes);
    out.set_dropped(source.dropped);
    out.set_over_rate(source.over_rate);
    out.set_over_interfaces(source.over_interfaces);
    out.set_caught_up_ns(source.caught_up_ns);
  }
  emit_(std::move(output));
}

}  // namespace kindling::agent
