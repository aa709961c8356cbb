#include "agent/network/drop_stats.h"

#include <algorithm>
#include <utility>

#include "model/drop_metrics.h"
#include "model/drop_place.h"

namespace kindling::agent {
namespace {

namespace drops = model::drops;

void Emit(const char* name, const model::Labels& labels, double value, int64_t time_ns,
          model::Batch& batch) {
  batch.series.push_back({.name = name, .kind = model::MetricKind::kDelta, .labels = labels});
  model::MetricPoint& point = batch.points.emplace_back();
  point.series = static_cast<uint32_t>(batch.series.size() - 1);
  point.time_ns = time_ns;
  point.value = value;
}

model::EdgeEnds OtherEnds(const model::EdgeEnds& ends) {
  const std::string other(model::kOtherName);
  return {.observer = ends.observer, .client = {.workload = other}, .server = {.workload = other}};
}

}  // namespace

std::string_view PacketProtocol(uint16_t ethertype, uint8_t protocol) {
  switch (protocol) {
    case 1:
      return "icmp";
    case 6:
      return "tcp";
    case 17:
      return "udp";
    case 58:
      return "icmpv6";
    case 132:
      return "sctp";
    default:
      break;
  }
  switch (ethertype) {
    case 0x0800:
    case 0x86dd:
      return "ip";
    case 0x0806:
      return "arp";
    default:
      return "other";
  }
}

void DropStats::OnDrop(const model::EdgeEnds& ends, const DropSample& sample) {
  Key key{.ends = ends,
          .reason = sample.reason,
          .protocol = PacketProtocol(sample.ethertype, sample.protocol),
          .direction = sample.direction};
  if (rows_.size() >= options_.max_rows && !rows_.contains(key)) key.ends = OtherEnds(ends);
  Sum& sum = rows_[std::move(key)];
  sum.packets += sample.packets;
  sum.bytes += sample.bytes;
}

void DropStats::OnDatagrams(const model::EdgeEnds& ends, const DatagramSample& sample) {
  const auto found = sockets_.find(sample.id);
  if (found == sockets_.end() && sockets_.size() >= options_.max_sockets) return;
  Socket& seen = found != sockets_.end() ? found->second : sockets_[sample.id];
  seen.window = windows_;
  if (sample.drops <= seen.drops) return;
  const uint64_t grown = sample.drops - seen.drops;
  seen.drops = sample.drops;
  const bool is_full = receive_drops_.size() >= options_.max_rows && !receive_drops_.contains(ends);
  receive_drops_[is_full ? OtherEnds(ends) : ends] += grown;
}

void DropStats::EmitWindow(int64_t start_ns, model::Batch& batch) {
  for (const auto& [key, sum] : rows_) {
    model::Labels labels = model::LabelsOf(key.ends);
    const bool is_in = key.direction == Direction::kReceived;
    model::AddLabel(drops::kDirection, is_in ? drops::kIn : drops::kOut, labels);
    model::AddLabel(drops::kHost, options_.host, labels);
    model::AddLabel(drops::kPlace, model::DropPlaceOf(key.reason), labels);
    model::AddLabel(drops::kReason, key.reason, labels);
    model::AddLabel(model::kTransportLabel, key.protocol, labels);
    Emit(drops::kPackets, labels, static_cast<double>(sum.packets), start_ns, batch);
    if (sum.bytes > 0) {
      Emit(drops::kBytes, labels, static_cast<double>(sum.bytes), start_ns, batch);
    }
  }
  rows_.clear();
  for (const auto& [ends, count] : receive_drops_) {
    model::Labels labels = model::LabelsOf(ends);
    model::AddLabel(drops::kHost, options_.host, labels);
    model::AddLabel(model::kTransportLabel, model::Name(model::Transport::kUdp), labels);
    Emit(drops::kUdpReceive, labels, static_cast<double>(count), start_ns, batch);
  }
  receive_drops_.clear();
  // Each that has dropped something is met in every window.
  ++windows_;
  absl::erase_if(sockets_, [&](const auto& socket) {
    return windows_ - socket.second.window > kForgottenAfter;
  });
}

}  // namespace kindling::agent
