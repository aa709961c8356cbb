#pragma once

// The metric series of NAT, by the ends of an edge (edge_labels.h), which are the true ones.
// Stored: never rename.
namespace kindling::model::nat {

// Delta: connections that began, or were found, by kind, asked address and translated client.
inline constexpr char kConnections[] = "nat_connections";
// Deltas by host: what conntrack told and found no room, and flows forgotten for want of room.
inline constexpr char kLostEvents[] = "nat_lost_events";
inline constexpr char kForgotten[] = "nat_forgotten_flows";

inline constexpr char kKind[] = "kind";       // "dnat", "snat" or "dnat+snat"
inline constexpr char kAsked[] = "asked";     // whom the client asked: "10.96.0.1:80"
inline constexpr char kSeenAs[] = "seen_as";  // the client's address as the server sees it
inline constexpr char kHost[] = "host";       // of the agent

}  // namespace kindling::model::nat
