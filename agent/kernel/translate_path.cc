#include "agent/kernel/translate_path.h"

#include <algorithm>
#include <cstring>
#include <iterator>

namespace kindling::agent {
namespace {

constexpr uint8_t kMappedPrefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

IpAddress FromMapped(const uint8_t* bytes) {
  IpAddress address;
  if (std::equal(std::begin(kMappedPrefix), std::end(kMappedPrefix), bytes)) {
    address.size = 4;
    std::memcpy(address.bytes.data(), bytes + sizeof(kMappedPrefix), 4);
  } else {
    address.size = 16;
    std::memcpy(address.bytes.data(), bytes, 16);
  }
  return address;
}

KernelTuple ToTuple(const kd_tuple& wire) {
  return {.source = FromMapped(wire.source),
          .destination = FromMapped(wire.destination),
          .source_port = wire.source_port,
          .destination_port = wire.destination_port,
          .protocol = wire.protocol};
}

template <size_t kSize>
std::string ToText(const char (&name)[kSize]) {
  return std::string(name, strnlen(name, kSize));
}

}  // namespace

std::array<uint8_t, 16> ToMapped(const IpAddress& address) {
  if (address.size == 16) return address.bytes;
  std::array<uint8_t, 16> mapped{};
  std::copy(std::begin(kMappedPrefix), std::end(kMappedPrefix), mapped.begin());
  std::copy_n(address.bytes.begin(), 4, mapped.begin() + sizeof(kMappedPrefix));
  return mapped;
}

KernelHop ToKernelHop(const kd_path_hop& wire) {
  KernelHop hop;
  hop.boot_ns = static_cast<int64_t>(wire.boot_ns);
  hop.packet = wire.packet;
  hop.location = wire.location;
  hop.place = model::ToPathPlace(wire.place);
  hop.tuple = ToTuple(wire.tuple);
  if (wire.flags & KD_PATH_VXLAN) {
    hop.carrier = ToTuple(wire.outer);
    hop.vni = wire.vni;
  }
  hop.netns = wire.netns;
  hop.interface = wire.interface;
  hop.received_by = wire.received_by;
  hop.sequence = wire.sequence;
  hop.payload_bytes = wire.payload_bytes;
  hop.mark = wire.mark;
  hop.reason = wire.reason;
  hop.tgid = wire.tgid;
  hop.ip_id = wire.ip_id;
  hop.tcp_flags = wire.tcp_flags;
  hop.is_reply = wire.flags & KD_PATH_REPLY;
  hop.is_new = wire.flags & KD_PATH_NEW;
  hop.of_socket = wire.flags & KD_PATH_OF_SOCKET;
  hop.is_fragment = wire.flags & KD_PATH_FRAGMENT;
  hop.is_routed = wire.flags & KD_PATH_ROUTED;
  hop.is_local = wire.flags & KD_PATH_LOCAL;
  hop.at_a_bridge = wire.flags & KD_PATH_BRIDGED;
  hop.device = ToText(wire.device);
  hop.detail = ToText(wire.detail);
  return hop;
}

}  // namespace kindling::agent
