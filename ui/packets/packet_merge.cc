#include "ui/packets/packet_merge.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace kindling::ui {
namespace {

constexpr size_t kOverheadBytes = 64;  // of one that waits

bool FitsTogether(const v1::PacketBatch& batch) {
  const int count = batch.interface_size();
  if (batch.packet_type_size() != count || batch.time_delta_ns_size() != count ||
      batch.original_bytes_size() != count || batch.captured_bytes_size() != count ||
      batch.sender_size() != count || batch.receiver_size() != count) {
    return false;
  }
  const auto owners = static_cast<uint32_t>(batch.owners_size());
  const auto is_owner = [owners](uint32_t number) { return number <= owners; };
  uint64_t bytes = 0;
  for (const uint32_t size : batch.captured_bytes()) bytes += size;
  return bytes == batch.data().size() && bytes <= UINT32_MAX &&
         std::ranges::all_of(batch.sender(), is_owner) &&
         std::ranges::all_of(batch.receiver(), is_owner);
}

}  // namespace

size_t PacketMerge::CostOf(const Waiting& packet) {
  return packet.held->batch->captured_bytes(static_cast<int>(packet.index)) + kOverheadBytes;
}

void PacketMerge::Begin(uint32_t stream, int64_t now_ns) { streams_[stream].heard_ns = now_ns; }

absl::Status PacketMerge::Add(uint32_t stream, std::shared_ptr<const v1::PacketBatch> batch,
                              int64_t now_ns) {
  if (!FitsTogether(*batch)) {
    return absl::InvalidArgumentError("an agent sent packets that cannot be read; is it newer?");
  }
  if (const auto found = streams_.find(stream); found != streams_.end()) {
    found->second.heard_ns = now_ns;
  }
  const int count = batch->interface_size();
  if (count == 0) return absl::OkStatus();
  held_.push_back({.batch = std::move(batch), .stream = stream, .left = count});
  const v1::PacketBatch& held = *held_.back().batch;
  uint64_t time_ns = 0;  // unsigned: whatever is sent may be added up
  uint32_t offset = 0;
  for (int i = 0; i < count; ++i) {
    time_ns += static_cast<uint64_t>(held.time_delta_ns(i));
    waiting_.push({.time_ns = static_cast<int64_t>(time_ns),
                   .sequence = sequence_++,
                   .held = std::prev(held_.end()),
                   .index = static_cast<uint32_t>(i),
                   .offset = offset});
    offset += held.captured_bytes(i);
  }
  held_bytes_ += offset + static_cast<size_t>(count) * kOverheadBytes;
  return absl::OkStatus();
}

void PacketMerge::CaughtUp(uint32_t stream, int64_t time_ns, int64_t now_ns) {
  const auto found = streams_.find(stream);
  if (found == streams_.end()) return;
  found->second.heard_ns = now_ns;
  found->second.caught_up_ns = std::max(found->second.caught_up_ns, time_ns);
}

void PacketMerge::End(uint32_t stream) { streams_.erase(stream); }

void PacketMerge::Give(const Visit& visit) {
  const Waiting packet = waiting_.top();
  waiting_.pop();
  if (packet.time_ns < given_ns_) ++late_;
  given_ns_ = std::max(given_ns_, packet.time_ns);
  held_bytes_ -= CostOf(packet);
  visit({.stream = packet.held->stream,
         .time_ns = packet.time_ns,
         .batch = packet.held->batch.get(),
         .index = static_cast<int>(packet.index),
         .offset = packet.offset});
  if (--packet.held->left == 0) held_.erase(packet.held);
}

void PacketMerge::Emit(int64_t now_ns, const Visit& visit) {
  int64_t until_ns = INT64_MAX;
  for (const auto& [number, stream] : streams_) {
    if (now_ns - stream.heard_ns > options_.patience_ns) continue;
    until_ns = std::min(until_ns, stream.caught_up_ns);
  }
  while (!waiting_.empty() &&
         (waiting_.top().time_ns < until_ns || held_bytes_ > options_.max_bytes)) {
    Give(visit);
  }
}

void PacketMerge::EmitAll(const Visit& visit) {
  while (!waiting_.empty()) Give(visit);
}

}  // namespace kindling::ui
