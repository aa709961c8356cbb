#include "ui/packets/capture_writer.h"

#include <linux/if_packet.h>

#include <algorithm>
#include <memory>

#include "absl/strings/str_format.h"
#include "base/byte_reader.h"
#include "base/pcapng.h"
#include "base/status_macros.h"

namespace kindling::ui {
namespace {

using base::PcapngDirection;
using base::PcapngReception;

// How far a packet may stand behind one of a later time of the same source: several processors
// write to its ring.
constexpr int64_t kDisorderNs = 10'000'000;
// Room for the counts at the end of a file that has a cap.
constexpr uint64_t kReservedBytes = 4096;

std::pair<PcapngDirection, PcapngReception> HowSeen(uint32_t packet_type) {
  switch (packet_type) {
    case PACKET_HOST:
      return {PcapngDirection::kInbound, PcapngReception::kUnicast};
    case PACKET_BROADCAST:
      return {PcapngDirection::kInbound, PcapngReception::kBroadcast};
    case PACKET_MULTICAST:
      return {PcapngDirection::kInbound, PcapngReception::kMulticast};
    case PACKET_OTHERHOST:
      return {PcapngDirection::kInbound, PcapngReception::kPromiscuous};
    case PACKET_OUTGOING:
      return {PcapngDirection::kOutbound, PcapngReception::kUnknown};
    default:
      return {PcapngDirection::kUnknown, PcapngReception::kUnknown};
  }
}

}  // namespace

CaptureWriter::CaptureWriter(const Options& options, CaptureFile& file)
    : options_(options), file_(file), merge_(options.merge) {
  base::AppendPcapng(base::PcapngSection{.application = options_.application}, &file_.buffer());
}

uint32_t CaptureWriter::NewStream(uint32_t node, int64_t now_ns) {
  const auto stream = static_cast<uint32_t>(node_of_stream_.size());
  node_of_stream_.push_back(node);
  merge_.Begin(stream, now_ns);
  return stream;
}

uint32_t CaptureWriter::BeginNode(const std::string& name, int64_t now_ns) {
  const auto number = static_cast<uint32_t>(nodes_.size());
  nodes_.push_back({.name = name, .head = NewStream(number, now_ns)});
  return number;
}

absl::Status CaptureWriter::Take(uint32_t node, v1::PacketCaptureOutput output, int64_t now_ns) {
  RETURN_IF_ERROR(file_.status());
  Node& from = nodes_.at(node);
  switch (output.output_case()) {
    case v1::PacketCaptureOutput::kInterface:
      return TakeInterface(from, output.interface());
    case v1::PacketCaptureOutput::kBatch:
      return TakeBatch(from, output.mutable_batch(), now_ns);
    case v1::PacketCaptureOutput::kProgress:
      TakeProgress(from, output.progress(), now_ns);
      return absl::OkStatus();
    default:
      return absl::OkStatus();  // of a newer agent
  }
}

absl::Status CaptureWriter::TakeInterface(Node& node, const v1::PacketInterface& interface) {
  if (interfaces_ >= kMaxInterfaces) {
    return absl::InvalidArgumentError(
        absl::StrFormat("more than %d interfaces; those beyond are left out", kMaxInterfaces));
  }
  const auto [found, is_new] = node.interfaces.try_emplace(
      interface.id(), Interface{.number = interfaces_, .source = interface.source()});
  if (!is_new) return absl::InvalidArgumentError("an agent named an interface twice");
  ++interfaces_;
  base::AppendPcapng(
      base::PcapngInterface{.link = static_cast<base::PcapngLink>(interface.link_type()),
                            .snap_bytes = options_.snap_bytes,
                            .name = interface.name(),
                            .description = absl::StrFormat("%s, network namespace %s", node.name,
                                                           interface.netns_name()),
                            .filter = options_.filter},
      &file_.buffer());
  return file_.Write();
}

absl::Status CaptureWriter::TakeBatch(Node& node, v1::PacketBatch* batch, int64_t now_ns) {
  const auto stream = node.streams.find(batch->source());
  const auto is_known = [&node](uint32_t id) { return node.interfaces.contains(id); };
  if (stream == node.streams.end() || !std::ranges::all_of(batch->interface(), is_known)) {
    return absl::InvalidArgumentError("an agent sent packets of an interface that it did not name");
  }
  auto kept = std::make_shared<v1::PacketBatch>();
  kept->Swap(batch);
  uint64_t last_ns = 0;
  for (const int64_t delta_ns : kept->time_delta_ns()) last_ns += static_cast<uint64_t>(delta_ns);
  RETURN_IF_ERROR(merge_.Add(stream->second, std::move(kept), now_ns));
  const auto caught_up_ns = static_cast<int64_t>(last_ns);
  if (caught_up_ns > kDisorderNs)
    merge_.CaughtUp(stream->second, caught_up_ns - kDisorderNs, now_ns);
  return absl::OkStatus();
}

void CaptureWriter::TakeProgress(Node& node, const v1::PacketProgress& progress, int64_t now_ns) {
  const auto number = static_cast<uint32_t>(&node - nodes_.data());
  for (const v1::PacketSource& source : progress.sources()) {
    if (node.streams.size() >= kMaxSources && !node.streams.contains(source.source())) continue;
    const auto [found, is_new] = node.streams.try_emplace(source.source(), 0);
    if (is_new) found->second = NewStream(number, now_ns);
    if (source.caught_up_ns() != 0) {
      merge_.CaughtUp(found->second, source.caught_up_ns(), now_ns);
    }
    node.sources[source.source()] = source;
  }
  merge_.End(node.head);
}

void CaptureWriter::EndNode(uint32_t node, const std::string& why) {
  Node& ended = nodes_.at(node);
  ended.why = why;
  merge_.End(ended.head);
  for (const auto& [source, stream] : ended.streams) merge_.End(stream);
}

absl::Status CaptureWriter::Write(int64_t now_ns) {
  merge_.Emit(now_ns, [this](const MergedPacket& packet) { WritePacket(packet); });
  return file_.Write();
}

void CaptureWriter::WritePacket(const MergedPacket& packet) {
  if (is_full_ || !file_.status().ok()) return;
  const v1::PacketBatch& batch = *packet.batch;
  Interface& interface =
      nodes_[node_of_stream_[packet.stream]].interfaces.at(batch.interface(packet.index));
  const auto [direction, reception] = HowSeen(batch.packet_type(packet.index));
  const uint32_t size = batch.captured_bytes(packet.index);
  std::vector<std::string> comments;
  const auto comment = [&](const char* role, uint32_t owner) {
    if (owner == 0) return;
    comments.push_back(absl::StrFormat("%s: %s", role, batch.owners(static_cast<int>(owner) - 1)));
  };
  comment("sender", batch.sender(packet.index));
  comment("receiver", batch.receiver(packet.index));

  std::string& buffer = file_.buffer();
  const size_t before = buffer.size();
  base::AppendPcapng(
      base::PcapngPacket{
          .interface = interface.number,
          .time_ns = packet.time_ns,
          .original_bytes = std::max(size, batch.original_bytes(packet.index)),
          .bytes = base::AsBytes(std::string_view(batch.data()).substr(packet.offset, size)),
          .direction = direction,
          .reception = reception,
          .comments = comments},
      &buffer);
  if (options_.max_bytes != 0 && file_.bytes() + kReservedBytes > options_.max_bytes) {
    buffer.resize(before);
    is_full_ = true;
    return;
  }
  ++packets_;
  if (interface.packets++ == 0) interface.first_ns = packet.time_ns;
  interface.last_ns = packet.time_ns;
  (void)file_.Write();  // its status is looked at by whoever asked for all this
}

// A namespace's losses cannot be told apart by interface: they stand at its first.
void CaptureWriter::WriteCounts(const Node& node) {
  std::map<uint32_t, uint64_t> dropped;
  for (const auto& [number, source] : node.sources) dropped[number] = source.dropped();
  for (const auto& [id, interface] : node.interfaces) {
    std::vector<std::string> comments;
    if (!node.why.empty()) comments.push_back("partial: " + node.why);
    base::PcapngStatistics statistics{.interface = interface.number,
                                      .time_ns = interface.last_ns,
                                      .start_ns = interface.first_ns,
                                      .end_ns = interface.last_ns,
                                      .delivered = interface.packets};
    if (const auto found = dropped.find(interface.source); found != dropped.end()) {
      statistics.os_dropped = found->second;
      comments.emplace_back("osdrop is of all interfaces of this network namespace");
      dropped.erase(found);
    }
    statistics.comments = comments;
    base::AppendPcapng(statistics, &file_.buffer());
  }
}

absl::Status CaptureWriter::Finish() {
  merge_.EmitAll([this](const MergedPacket& packet) { WritePacket(packet); });
  RETURN_IF_ERROR(file_.status());
  for (const Node& node : nodes_) WriteCounts(node);
  return file_.Flush();
}

CaptureWriter::NodeCounts CaptureWriter::CountsOf(uint32_t node) const {
  NodeCounts counts;
  for (const auto& [number, source] : nodes_.at(node).sources) {
    counts.packets += source.packets();
    counts.bytes += source.bytes();
    counts.dropped += source.dropped() + source.over_interfaces();
    counts.left_out += source.over_rate();
  }
  return counts;
}

}  // namespace kindling::ui
