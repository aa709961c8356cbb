#pragma once

// The metric series of dropped packets, with the ends of the edge they belong to as labels
// (edge_labels.h) as far as they are known. Deltas. Stored: never rename.
namespace kindling::model::drops {

// By direction, host, place, reason and transport (kTransportLabel): "tcp", "udp", "icmp", "arp",
// ...
inline constexpr char kPackets[] = "packet_drops";
inline constexpr char kBytes[] = "packet_drop_bytes";  // from the IP header on
// Of a UDP socket, which is a server without client or a client without server: what it received
// and did not queue, as it counts itself. The kernel tells of most of these as packets too.
inline constexpr char kUdpReceive[] = "udp_receive_drops";

inline constexpr char kDirection[] = "direction";  // "in" or "out" of the host
inline constexpr char kHost[] = "host";            // where it was dropped
inline constexpr char kPlace[] = "place";          // drop_place.h
inline constexpr char kReason[] = "reason";        // the kernel's own: "netfilter_drop"

inline constexpr char kIn[] = "in";
inline constexpr char kOut[] = "out";

}  // namespace kindling::model::drops
