#include "model/drop_place.h"

#include <algorithm>
#include <array>

namespace kindling::model {
namespace {

struct Rule {
  std::string_view reason;  // begins so where it ends in '*'
  std::string_view place;
};

// The first that fits counts.
constexpr auto kRules = std::to_array<Rule>({
    {"netfilter_drop", "netfilter"},
    {"no_socket", "no_socket"},
    {"socket_rcvbuff", "receive_buffer"},
    {"proto_mem", "receive_buffer"},
    {"socket_backlog", "receive_buffer"},
    {"tcp_ofo_queue_prune", "receive_buffer"},
    {"tcp_ofo_drop", "receive_buffer"},
    {"tcp_zerowindow", "receive_buffer"},
    {"tcp_csum", "checksum"},
    {"udp_csum", "checksum"},
    {"ip_csum", "checksum"},
    {"icmp_csum", "checksum"},
    {"skb_csum", "checksum"},
    {"tcp_listen_overflow", "listen_queue"},
    {"tcp_md5*", "security"},
    {"tcp_ao*", "security"},
    {"tcp_auth_hdr", "security"},
    {"xfrm_policy", "security"},
    {"security_hook", "security"},
    {"psp_*", "security"},
    {"tcp_*", "tcp"},
    {"neigh_*", "neighbour"},
    {"qdisc_*", "queue_discipline"},
    {"fq_*", "queue_discipline"},
    {"cake_*", "queue_discipline"},
    {"dualpi2_*", "queue_discipline"},
    {"socket_filter", "packet_filter"},
    {"bpf_cgroup_egress", "packet_filter"},
    {"xdp", "packet_filter"},
    {"tc_*", "packet_filter"},
    {"tap_*", "packet_filter"},
    {"socket_*", "socket"},
    {"unix_*", "socket"},
    {"queue_purge", "socket"},
    {"packet_sock_error", "socket"},
    {"ip_outnoroutes", "routing"},
    {"ip_innoroutes", "routing"},
    {"ip_rpfilter", "routing"},
    {"ip_inaddrerrors", "routing"},
    {"ip_local_source", "routing"},
    {"ip_localnet", "routing"},
    {"ip_invalid_*", "routing"},
    {"ipv6disabled", "routing"},
    {"otherhost", "routing"},
    {"unicast_in_l2_multicast", "routing"},
    {"ip_inhdr", "header"},
    {"ip_noproto", "header"},
    {"ipv6_*", "header"},
    {"unhandled_proto", "header"},
    {"invalid_proto", "header"},
    {"pkt_too_*", "header"},
    {"hdr_trunc", "header"},
    {"dup_frag", "header"},
    {"frag_*", "header"},
    {"cpu_backlog", "device"},
    {"full_ring", "device"},
    {"dev_*", "device"},
    {"no_tx_target", "device"},
    {"mac_*", "device"},
    {"local_mac", "device"},
    {"mac80211_*", "device"},
    {"bridge_*", "device"},
    {"vxlan_*", "device"},
    {"ip_tunnel_*", "device"},
    {"tunnel_*", "device"},
    {"arp_*", "device"},
    {"can*", "device"},
    {"recursion_limit", "device"},
    {"openvswitch", "device"},
    {"nomem", "memory"},
    {"pfmemalloc", "memory"},
    {"skb_ucopy_fault", "memory"},
    {"skb_gso_seg", "memory"},
});

bool Fits(const Rule& rule, std::string_view reason) {
  return rule.reason.ends_with('*')
             ? reason.starts_with(rule.reason.substr(0, rule.reason.size() - 1))
             : reason == rule.reason;
}

}  // namespace

std::string_view DropPlaceOf(std::string_view reason) {
  const auto rule =
      std::ranges::find_if(kRules, [&](const Rule& candidate) { return Fits(candidate, reason); });
  return rule == kRules.end() ? "other" : rule->place;
}

bool IsCountedByUdpSocket(std::string_view reason) {
  // What __udp_enqueue_schedule_skb() and udp_queue_rcv_one_skb() refuse.
  constexpr auto kReasons = std::to_array<std::string_view>(
      {"socket_rcvbuff", "proto_mem", "udp_csum", "socket_filter", "xfrm_policy"});
  return std::ranges::find(kReasons, reason) != kReasons.end();
}

}  // namespace kindling::model
