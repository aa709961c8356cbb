#include "agent/packets/packet_ring.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <thread>
#include <utility>

#include "absl/strings/str_format.h"
#include "base/errno_status.h"
#include "base/status_macros.h"

namespace kindling::agent {
namespace {

constexpr unsigned kFrameBytes = 2048;  // unused by blocks of variable frames, but checked
constexpr size_t kVlanBytes = 4;
constexpr size_t kMacAddressesBytes = 12;

absl::Status SetOption(int fd, int level, int name, const void* value, socklen_t size,
                       const char* what) {
  if (setsockopt(fd, level, name, value, size) == 0) return absl::OkStatus();
  return base::ErrnoStatus(errno, absl::StrFormat("packet capture: %s", what));
}

absl::Status AttachFilter(int fd, const std::vector<sock_filter>& filter) {
  const sock_fprog program{.len = static_cast<unsigned short>(filter.size()),
                           .filter = const_cast<sock_filter*>(filter.data())};
  return SetOption(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program), "filter");
}

// Protocol 0: it hears nothing yet.
absl::StatusOr<base::UniqueFd> OpenSocket() {
  base::UniqueFd fd(socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return base::ErrnoStatus(errno, "packet capture: packet socket");
  return fd;
}

absl::StatusOr<base::UniqueFd> OpenSocketIn(int netns_fd) {
  if (netns_fd < 0) return OpenSocket();
  absl::StatusOr<base::UniqueFd> fd = absl::InternalError("packet capture: no thread");
  // A thread of its own enters the namespace and ends there.
  std::thread([&] {
    if (setns(netns_fd, CLONE_NEWNET) != 0) {
      fd = base::ErrnoStatus(errno, "packet capture: enter the network namespace");
      return;
    }
    fd = OpenSocket();
  }).join();
  return fd;
}

// Puts the tag between the MAC addresses and the type; Listen() reserved the room before them.
std::byte* InsertVlanTag(std::byte* packet, const tpacket_hdr_variant1& from, uint32_t status) {
  const uint16_t protocol =
      (status & TP_STATUS_VLAN_TPID_VALID) != 0 ? from.tp_vlan_tpid : ETH_P_8021Q;
  const uint16_t tag[2] = {htons(protocol), htons(static_cast<uint16_t>(from.tp_vlan_tci))};
  std::memmove(packet - kVlanBytes, packet, kMacAddressesBytes);
  std::memcpy(packet - kVlanBytes + kMacAddressesBytes, tag, kVlanBytes);
  return packet - kVlanBytes;
}

PacketRing::Packet PacketAt(std::byte* frame, size_t snap_bytes) {
  tpacket3_hdr header;
  sockaddr_ll from;
  std::memcpy(&header, frame, sizeof(header));
  std::memcpy(&from, frame + TPACKET_ALIGN(sizeof(tpacket3_hdr)), sizeof(from));
  std::byte* bytes = frame + header.tp_mac;
  size_t size = header.tp_snaplen;
  uint32_t original = header.tp_len;
  if ((header.tp_status & TP_STATUS_VLAN_VALID) != 0 && size >= kMacAddressesBytes) {
    bytes = InsertVlanTag(bytes, header.hv1, header.tp_status);
    size += kVlanBytes;
    original += kVlanBytes;
  }
  return {.interface_index = from.sll_ifindex,
          .hardware_type = from.sll_hatype,
          .packet_type = from.sll_pkttype,
          .wall_ns = int64_t{header.tp_sec} * 1'000'000'000 + header.tp_nsec,
          .original_bytes = original,
          .bytes = {bytes, std::min(size, snap_bytes)}};
}

}  // namespace

absl::StatusOr<std::unique_ptr<PacketRing>> PacketRing::Open(int netns_fd, const Options& options) {
  auto ring = std::unique_ptr<PacketRing>(new PacketRing);
  ASSIGN_OR_RETURN(ring->fd_, OpenSocketIn(netns_fd));
  RETURN_IF_ERROR(ring->Listen(options));
  return ring;
}

absl::Status PacketRing::Listen(const Options& options) {
  snap_bytes_ = options.snap_bytes;
  RETURN_IF_ERROR(AttachFilter(fd(), options.filter));
  const int version = TPACKET_V3;
  RETURN_IF_ERROR(
      SetOption(fd(), SOL_PACKET, PACKET_VERSION, &version, sizeof(version), "TPACKET_V3"));
  const unsigned reserve = kVlanBytes;
  RETURN_IF_ERROR(
      SetOption(fd(), SOL_PACKET, PACKET_RESERVE, &reserve, sizeof(reserve), "PACKET_RESERVE"));
  blocks_ = std::max<size_t>(2, options.ring_bytes / kBlockBytes);
  tpacket_req3 request{};
  request.tp_block_size = kBlockBytes;
  request.tp_block_nr = static_cast<unsigned>(blocks_);
  request.tp_frame_size = kFrameBytes;
  request.tp_frame_nr = static_cast<unsigned>(blocks_ * (kBlockBytes / kFrameBytes));
  request.tp_retire_blk_tov = kRetireMs;
  RETURN_IF_ERROR(SetOption(fd(), SOL_PACKET, PACKET_RX_RING, &request, sizeof(request), "ring"));
  void* mapped = mmap(nullptr, blocks_ * kBlockBytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd(), 0);
  if (mapped == MAP_FAILED) return base::ErrnoStatus(errno, "packet capture: map the ring");
  ring_ = static_cast<std::byte*>(mapped);
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ETH_P_ALL);
  if (bind(fd(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    return base::ErrnoStatus(errno, "packet capture: bind");
  }
  return absl::OkStatus();
}

PacketRing::~PacketRing() {
  if (ring_ != nullptr) munmap(ring_, blocks_ * kBlockBytes);
}

tpacket_block_desc* PacketRing::BlockAt(size_t index) const {
  return reinterpret_cast<tpacket_block_desc*>(ring_ + index * kBlockBytes);
}

bool PacketRing::IsReady(size_t index) const {
  const uint32_t status = __atomic_load_n(&BlockAt(index)->hdr.bh1.block_status, __ATOMIC_ACQUIRE);
  return (status & TP_STATUS_USER) != 0;
}

std::optional<std::span<const PacketRing::Packet>> PacketRing::Next(int64_t settled_ns) {
  if (!IsReady(current_)) return std::nullopt;
  const tpacket_hdr_v1& header = BlockAt(current_)->hdr.bh1;
  const int64_t last_ns =
      int64_t{header.ts_last_pkt.ts_sec} * 1'000'000'000 + header.ts_last_pkt.ts_nsec;
  const bool is_half_full = IsReady((current_ + blocks_ / 2) % blocks_);
  if (last_ns >= settled_ns && !is_half_full) return std::nullopt;
  packets_.clear();
  std::byte* frame = reinterpret_cast<std::byte*>(BlockAt(current_)) + header.offset_to_first_pkt;
  for (uint32_t left = header.num_pkts; left > 0; --left) {
    packets_.push_back(PacketAt(frame, snap_bytes_));
    frame += reinterpret_cast<const tpacket3_hdr*>(frame)->tp_next_offset;
  }
  return packets_;
}

void PacketRing::Release() {
  __atomic_store_n(&BlockAt(current_)->hdr.bh1.block_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
  current_ = (current_ + 1) % blocks_;
}

absl::Status PacketRing::Reject() { return AttachFilter(fd(), {BPF_STMT(BPF_RET | BPF_K, 0)}); }

PacketRing::Counts PacketRing::ReadCounts() {
  tpacket_stats_v3 statistics{};  // since they were read before
  socklen_t size = sizeof(statistics);
  if (getsockopt(fd(), SOL_PACKET, PACKET_STATISTICS, &statistics, &size) == 0) {
    counts_.accepted += statistics.tp_packets;
    counts_.dropped += statistics.tp_drops;
  }
  return counts_;
}

std::string PacketRing::NameOf(int interface_index) const {
  ifreq request{};
  request.ifr_ifindex = interface_index;
  // Of the socket's namespace, whatever the thread's is.
  if (ioctl(fd(), SIOCGIFNAME, &request) != 0) return absl::StrFormat("if%d", interface_index);
  return {request.ifr_name, strnlen(request.ifr_name, sizeof(request.ifr_name))};
}

}  // namespace kindling::agent
