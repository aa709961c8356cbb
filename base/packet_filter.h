#pragma once

#include <linux/filter.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace kindling::base {

// Longer ones are refused before libpcap sees them.
inline constexpr size_t kMaxPacketFilterBytes = 16 << 10;

// A filter in the language of pcap-filter(7), compiled by libpcap for a packet socket (packet(7),
// SOCK_RAW) that hears every interface of its network namespace. The kernel runs it for each packet
// and copies at most `snap_bytes` of those that match.
//
// Interfaces differ in what a packet begins with, so there are two programs in one and the kernel
// chooses by the interface's type: Ethernet, which loopback and veth are too, and IP without any
// link layer (tun, ipip, sit, gre). On others, and on those without a link layer where the filter
// asks for one (`ether host`), nothing matches. What loopback sends comes back to it as received
// and matches once, as received.
//
// An empty `text` matches everything. Names of hosts, networks and ports are looked up by libpcap,
// which blocks.
//
// Threads: any.
// Failure: InvalidArgument with libpcap's own words. Also for a filter longer than the kernel takes
//          (4096 instructions for both programs), and for the word `vlan`: the kernel keeps the tag
//          beside the packet, where libpcap's filters for files do not look.
absl::StatusOr<std::vector<sock_filter>> CompilePacketFilter(const std::string& text,
                                                             uint32_t snap_bytes);

// Whether packets of an interface of this type (ARPHRD_*) are IP without a link layer.
bool HasNoLinkLayer(uint16_t hardware_type);

}  // namespace kindling::base
