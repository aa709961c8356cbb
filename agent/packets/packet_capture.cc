#include "agent/packets/packet_capture.h"

#include <poll.h>

#include <algorithm>
#include <optional>

#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "base/packet_filter.h"
#include "base/status_macros.h"

namespace kindling::agent {
namespace {

constexpr int64_t kProgressNs = 200'000'000;
// How far a packet may stand behind one of a later time: several processors write to one ring.
constexpr int64_t kDisorderNs = 10'000'000;
// A packet is handed over this long after its time at most, the kernel's timer being late included.
constexpr int64_t kHandOverNs = 5 * int64_t{PacketRing::kRetireMs} * 1'000'000;
constexpr int kWaitMs = PacketRing::kRetireMs;
constexpr int kSettleLookMs = 10;

}  // namespace

struct PacketCapture::Source {
  std::unique_ptr<PacketRing> ring;
  std::string netns_name;
  SourceProgress progress;
};

// A bucket that holds a second's worth of bytes.
class PacketCapture::RateLimit {
 public:
  explicit RateLimit(uint64_t bytes_per_second)
      : rate_(static_cast<double>(bytes_per_second)), left_(rate_) {}

  bool Take(int64_t wall_ns, size_t bytes) {
    if (rate_ == 0) return true;
    if (wall_ns > last_ns_ && last_ns_ != 0) {
      left_ = std::min(rate_, left_ + rate_ * static_cast<double>(wall_ns - last_ns_) / 1e9);
    }
    last_ns_ = std::max(last_ns_, wall_ns);
    if (left_ < static_cast<double>(bytes)) return false;
    left_ -= static_cast<double>(bytes);
    return true;
  }

 private:
  const double rate_;
  double left_;
  int64_t last_ns_ = 0;
};

PacketCapture::PacketCapture(const PacketCaptureOptions& options, const base::Clock& clock)
    : options_(options),
      clock_(clock),
      rate_(std::make_unique<RateLimit>(options.bytes_per_second)) {}
PacketCapture::~PacketCapture() = default;

absl::StatusOr<std::unique_ptr<PacketCapture>> PacketCapture::Open(
    const PacketCaptureOptions& options, std::span<const CaptureNamespace> namespaces,
    const base::Clock& clock) {
  if (namespaces.empty()) {
    return absl::FailedPreconditionError(
        "packet capture: there is no network namespace to capture in");
  }
  if (namespaces.size() > kMaxNamespaces) {
    return absl::FailedPreconditionError(
        absl::StrFormat("packet capture: %d network namespaces are watched; at most %d can be "
                        "captured in at once",
                        namespaces.size(), kMaxNamespaces));
  }
  const uint32_t snap = options.snap_bytes == 0
                            ? PacketCaptureOptions::kMaxSnapBytes
                            : std::min(options.snap_bytes, PacketCaptureOptions::kMaxSnapBytes);
  PacketRing::Options ring{.snap_bytes = snap,
                           .ring_bytes = options.ring_bytes / namespaces.size()};
  ASSIGN_OR_RETURN(ring.filter, base::CompilePacketFilter(options.filter, snap));
  auto capture = std::unique_ptr<PacketCapture>(new PacketCapture(options, clock));
  for (const CaptureNamespace& netns : namespaces) {
    auto source = std::make_unique<Source>();
    absl::StatusOr<std::unique_ptr<PacketRing>> opened = PacketRing::Open(netns.fd.get(), ring);
    if (!opened.ok()) {
      return absl::Status(opened.status().code(),
                          absl::StrFormat("%s (network namespace %s)",
                                          std::string(opened.status().message()), netns.name));
    }
    source->ring = *std::move(opened);
    source->netns_name = netns.name;
    source->progress.source = static_cast<uint32_t>(capture->sources_.size());
    source->progress.netns = netns.inode;
    capture->sources_.push_back(std::move(source));
  }
  return capture;
}

PacketCapture::End PacketCapture::Run(PacketSink& sink, const std::function<bool()>& stopped) {
  const int64_t start_ns = clock_.BootNs();
  TellProgress(sink);
  int64_t next_progress_ns = start_ns + kProgressNs;
  while (true) {
    const int64_t now_ns = clock_.BootNs();
    if (stopped()) break;
    if (options_.duration_ns != 0 && now_ns - start_ns >= options_.duration_ns) {
      end_ = End::kDuration;
      break;
    }
    bool is_full = false;
    uint64_t before = packets_;
    for (const auto& source : sources_) is_full = is_full || !Read(*source, sink);
    if (is_full) break;
    if (now_ns >= next_progress_ns) {
      TellProgress(sink);
      next_progress_ns = now_ns + kProgressNs;
    }
    if (packets_ == before) Wait();
  }
  Finish(sink);
  return end_;
}

// At most a ring's blocks, so that no source waits for another that never pauses.
bool PacketCapture::Read(Source& source, PacketSink& sink) {
  const int64_t now_ns = clock_.WallNs();
  const size_t most = std::max<size_t>(2, options_.ring_bytes / PacketRing::kBlockBytes);
  for (size_t i = 0; i < most; ++i) {
    const auto packets =
        source.ring->Next(options_.settle_ns == 0 ? INT64_MAX : now_ns - options_.settle_ns);
    if (!packets) {
      source.progress.caught_up_ns = std::max(source.progress.caught_up_ns, now_ns - kHandOverNs);
      return true;
    }
    const bool goes_on = Give(source, *packets, sink);
    source.ring->Release();
    if (!goes_on) return false;
  }
  return true;
}

bool PacketCapture::Give(Source& source, std::span<const PacketRing::Packet> packets,
                         PacketSink& sink) {
  SourceProgress& progress = source.progress;
  given_.clear();
  bool goes_on = true;
  for (const PacketRing::Packet& packet : packets) {
    const std::optional<uint32_t> interface = InterfaceOf(source, packet, sink);
    if (!interface) {
      ++progress.over_interfaces;
      continue;
    }
    if (options_.max_bytes != 0 && bytes_ + packet.bytes.size() > options_.max_bytes) {
      end_ = End::kMaxBytes;
      goes_on = false;
      break;
    }
    if (!rate_->Take(packet.wall_ns, packet.bytes.size())) {
      ++progress.over_rate;
      continue;
    }
    given_.push_back({.interface = *interface,
                      .packet_type = packet.packet_type,
                      .wall_ns = packet.wall_ns,
                      .original_bytes = packet.original_bytes,
                      .bytes = packet.bytes});
    bytes_ += packet.bytes.size();
    progress.bytes += packet.bytes.size();
    if (++packets_ == options_.max_packets) {
      end_ = End::kMaxPackets;
      goes_on = false;
      break;
    }
  }
  progress.packets += given_.size();
  if (!given_.empty()) {
    progress.caught_up_ns = std::max(progress.caught_up_ns, given_.back().wall_ns - kDisorderNs);
    sink.OnPackets(given_);
  }
  return goes_on;
}

std::optional<uint32_t> PacketCapture::InterfaceOf(Source& source, const PacketRing::Packet& packet,
                                                   PacketSink& sink) {
  const std::pair<uint32_t, int> key(source.progress.source, packet.interface_index);
  if (const auto found = interfaces_.find(key); found != interfaces_.end()) return found->second;
  if (interfaces_.size() >= kMaxInterfaces) return std::nullopt;
  const auto id = static_cast<uint32_t>(interfaces_.size());
  interfaces_.emplace(key, id);
  sink.OnInterface({.id = id,
                    .source = source.progress.source,
                    .netns = source.progress.netns,
                    .netns_name = source.netns_name,
                    .name = source.ring->NameOf(packet.interface_index),
                    .hardware_type = packet.hardware_type});
  return id;
}

void PacketCapture::TellProgress(PacketSink& sink) {
  std::vector<SourceProgress> all;
  for (const auto& source : sources_) {
    source->progress.dropped = source->ring->ReadCounts().dropped;
    all.push_back(source->progress);
  }
  sink.OnProgress(all);
}

void PacketCapture::Wait() {
  if (options_.settle_ns != 0) {  // a block that is ready may have to grow older
    absl::SleepFor(absl::Milliseconds(kSettleLookMs));
    return;
  }
  std::vector<pollfd> fds;
  for (const auto& source : sources_) fds.push_back({.fd = source->ring->fd(), .events = POLLIN});
  poll(fds.data(), fds.size(), kWaitMs);
}

// A cap that is reached is reached: what is in the rings then is beyond it.
void PacketCapture::Finish(PacketSink& sink) {
  for (const auto& source : sources_) (void)source->ring->Reject();
  bool goes_on = end_ == End::kStopped || end_ == End::kDuration;
  const int64_t until_ns = clock_.BootNs() + kHandOverNs;
  while (goes_on && clock_.BootNs() < until_ns) {
    const uint64_t before = packets_;
    for (const auto& source : sources_) goes_on = goes_on && Read(*source, sink);
    if (packets_ == before) Wait();
  }
  for (const auto& source : sources_) source->progress.caught_up_ns = clock_.WallNs();
  TellProgress(sink);
}

}  // namespace kindling::agent
