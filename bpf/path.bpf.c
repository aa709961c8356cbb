// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* The way of one flow's packets through the kernel, hop by hop. Loaded only while somebody asks. See README.md. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>

#include "bpf/kernel/types.h"

#include "bpf/common/path.bpf.h"

char kd_license[] SEC("license") = "GPL";

/* ---- what the kernel's structures say ---- */

/* Where the headers are: `received` is where the network header is at the data, not yet noted apart. */
static __always_inline void kd_find_headers(struct kd_sight *sight, const struct sk_buff *skb,
					    int received)
{
	const unsigned char *head = BPF_CORE_READ(skb, head);
	__u32 end = BPF_CORE_READ(skb, tail), begin;
	__u16 protocol = bpf_ntohs(BPF_CORE_READ(skb, protocol));

	if (received) {
		begin = BPF_CORE_READ(skb, data) - head;
		if (protocol == KD_ETHERTYPE_VLAN || protocol == KD_ETHERTYPE_QINQ)
			begin += 4;
	} else {
		begin = BPF_CORE_READ(skb, network_header);
	}
	sight->skb = (__u64)skb;
	sight->at = (__u64)head + begin;
	sight->left = end > begin ? end - begin : 0;
	sight->mark = BPF_CORE_READ(skb, mark);
	sight->received_by = BPF_CORE_READ(skb, skb_iif);
	if (bpf_core_field_exists(skb->_nfct))
		sight->conntrack = BPF_CORE_READ(skb, _nfct);
}

static __always_inline __u32 kd_netns_of_device(const struct net_device *device)
{
	return device ? BPF_CORE_READ(device, nd_net.net, ns.inum) : 0;
}

static __always_inline void kd_note_device(struct kd_sight *sight, const struct net_device *device)
{
	sight->interface = BPF_CORE_READ(device, ifindex);
	sight->device = (__u64)device + bpf_core_field_offset(struct net_device, name);
	if (BPF_CORE_READ_BITFIELD_PROBED(device, priv_flags) & IFF_BRIDGE_PORT)
		sight->flags |= KD_PATH_BRIDGED;
}

/* A packet at a device. */
static __always_inline int kd_at_device(const struct sk_buff *skb, const struct net_device *device,
					__u8 place, int received, const struct Qdisc *qdisc)
{
	struct kd_sight sight = {};

	if (!skb || !device)
		return 0;
	sight.netns = kd_netns_of_device(device);
	if (!kd_path_in_scope(sight.netns))
		return 0;
	sight.place = place;
	kd_find_headers(&sight, skb, received);
	kd_note_device(&sight, device);
	if (!received && BPF_CORE_READ(skb, sk))
		sight.flags |= KD_PATH_OF_SOCKET;
	if (qdisc)
		sight.detail = (__u64)BPF_CORE_READ(qdisc, ops) +
			       bpf_core_field_offset(struct Qdisc_ops, id);
	return kd_see(&sight);
}

/*
 * A packet that is somewhere in the stack: in a socket's queue the pointer to its device is no longer one,
 * which a read that may fail finds out.
 */
static __always_inline void kd_find_place(struct kd_sight *sight, const struct sk_buff *skb)
{
	const struct net_device *device = BPF_CORE_READ(skb, dev), *of_route;
	const struct dst_entry *route;
	const struct sock *sk;

	route = (const struct dst_entry *)(BPF_CORE_READ(skb, _skb_refdst) & ~SKB_DST_NOREF);
	of_route = route ? BPF_CORE_READ(route, dev) : 0;
	sk = BPF_CORE_READ(skb, sk);
	sight->netns = kd_netns_of_device(device);
	if (sight->netns)
		kd_note_device(sight, device);
	else
		sight->interface = BPF_CORE_READ(skb, skb_iif);
	if (!sight->netns && sk)
		sight->netns = BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
	if (!sight->netns)
		sight->netns = kd_netns_of_device(of_route);
	if (sk)
		sight->flags |= KD_PATH_OF_SOCKET;
	if (of_route) {
		sight->flags |= KD_PATH_ROUTED;
		if (BPF_CORE_READ(of_route, flags) & IFF_LOOPBACK)
			sight->flags |= KD_PATH_LOCAL;
	}
}

/* A packet that a socket holds. */
static __always_inline int kd_at_socket(const struct sk_buff *skb, const struct sock *sk,
					__u8 place)
{
	struct kd_sight sight = {};

	if (!skb || !sk)
		return 0;
	sight.netns = BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
	if (!kd_path_in_scope(sight.netns))
		return 0;
	sight.place = place;
	sight.flags = KD_PATH_OF_SOCKET;
	sight.interface = BPF_CORE_READ(skb, skb_iif);
	kd_find_headers(&sight, skb, 0);
	return kd_see(&sight);
}

/* ---- hooks ---- */

SEC("tp_btf/net_dev_queue")
int BPF_PROG(kd_path_net_dev_queue, struct sk_buff *skb)
{
	return kd_at_device(skb, BPF_CORE_READ(skb, dev), KD_PATH_QUEUED, 0, 0);
}

SEC("tp_btf/qdisc_enqueue")
int BPF_PROG(kd_path_qdisc_enqueue, struct Qdisc *qdisc, const struct netdev_queue *queue,
	     struct sk_buff *skb)
{
	return kd_at_device(skb, BPF_CORE_READ(skb, dev), KD_PATH_QDISC_IN, 0, qdisc);
}

SEC("tp_btf/qdisc_dequeue")
int BPF_PROG(kd_path_qdisc_dequeue, struct Qdisc *qdisc, const struct netdev_queue *queue,
	     int packets, struct sk_buff *skb)
{
	if (!skb)
		return 0;
	return kd_at_device(skb, BPF_CORE_READ(skb, dev), KD_PATH_QDISC_OUT, 0, qdisc);
}

SEC("tp_btf/net_dev_start_xmit")
int BPF_PROG(kd_path_net_dev_start_xmit, const struct sk_buff *skb, const struct net_device *device)
{
	return kd_at_device(skb, device, KD_PATH_TRANSMIT, 0, 0);
}

SEC("tp_btf/napi_gro_receive_entry")
int BPF_PROG(kd_path_napi_gro_receive, const struct sk_buff *skb)
{
	return kd_at_device(skb, BPF_CORE_READ(skb, dev), KD_PATH_GRO, 1, 0);
}

SEC("tp_btf/netif_rx")
int BPF_PROG(kd_path_netif_rx, struct sk_buff *skb)
{
	return kd_at_device(skb, BPF_CORE_READ(skb, dev), KD_PATH_BACKLOG, 1, 0);
}

SEC("tp_btf/netif_receive_skb")
int BPF_PROG(kd_path_netif_receive_skb, struct sk_buff *skb)
{
	return kd_at_device(skb, BPF_CORE_READ(skb, dev), KD_PATH_RECEIVED, 1, 0);
}

SEC("tp_btf/tcp_probe")
int BPF_PROG(kd_path_tcp_probe, struct sock *sk, const struct sk_buff *skb)
{
	return kd_at_socket(skb, sk, KD_PATH_SOCKET);
}

SEC("tp_btf/sock_rcvqueue_full")
int BPF_PROG(kd_path_sock_rcvqueue_full, struct sock *sk, struct sk_buff *skb)
{
	return kd_at_socket(skb, sk, KD_PATH_RECEIVE_FULL);
}

/*
 * A socket has something to read, or its connection came about: if it is the one that the packet is for
 * which this processor put into the stack just now, then it is there. UDP and handshakes have no hook that
 * says so of the packet.
 */
static __always_inline int kd_at_ready_socket(const struct sock *sk)
{
	struct kd_arriving *arriving;
	struct kd_followed *followed;
	struct kd_path_hop *hop;
	__u64 skb, now;
	__u32 zero = 0;
	__u16 remote;

	arriving = bpf_map_lookup_elem(&kd_path_arriving, &zero);
	if (!sk || !arriving || !arriving->skb)
		return 0;
	skb = arriving->skb;
	now = bpf_ktime_get_boot_ns();
	followed = bpf_map_lookup_elem(&kd_path_followed, &skb);
	if (!followed || followed->passed_over || now - arriving->boot_ns > KD_ARRIVING_NS)
		return 0;
	remote = bpf_ntohs(sk->__sk_common.skc_dport); /* 0: a listener, or not connected */
	if (followed->netns != sk->__sk_common.skc_net.net->ns.inum ||
	    followed->tuple.protocol != sk->sk_protocol ||
	    followed->tuple.destination_port != sk->__sk_common.skc_num ||
	    (remote && followed->tuple.source_port != remote))
		return 0;
	arriving->skb = 0;
	hop = bpf_ringbuf_reserve(&kd_path_ring, sizeof(*hop), 0);
	if (!hop) {
		kd_path_count(hops);
		return 0;
	}
	__builtin_memset(hop, 0, sizeof(*hop));
	hop->boot_ns = now;
	hop->packet = followed->packet;
	hop->tuple = followed->tuple;
	hop->netns = followed->netns;
	hop->interface = hop->received_by = followed->interface;
	hop->sequence = followed->sequence;
	hop->payload_bytes = followed->payload_bytes;
	hop->cpu = bpf_get_smp_processor_id();
	hop->ip_id = followed->ip_id;
	hop->place = KD_PATH_SOCKET;
	hop->flags = KD_PATH_OF_SOCKET | (followed->reply ? KD_PATH_REPLY : 0);
	bpf_ringbuf_submit(hop, BPF_RB_NO_WAKEUP);
	return 0;
}

SEC("tp_btf/sk_data_ready")
int BPF_PROG(kd_path_sk_data_ready, const struct sock *sk)
{
	return kd_at_ready_socket(sk);
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(kd_path_inet_sock_set_state, const struct sock *sk, int before, int after)
{
	return after == TCP_ESTABLISHED ? kd_at_ready_socket(sk) : 0;
}

/* Runs in the process that reads. */
SEC("tp_btf/skb_copy_datagram_iovec")
int BPF_PROG(kd_path_copy_datagram, const struct sk_buff *skb)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct kd_sight sight = {};
	__u64 key = (__u64)skb;

	if (!bpf_map_lookup_elem(&kd_path_followed, &key))
		return 0;
	sight.place = KD_PATH_READ;
	sight.flags = KD_PATH_OF_SOCKET;
	sight.netns = BPF_CORE_READ(task, nsproxy, net_ns, ns.inum);
	sight.tgid = task->tgid;
	sight.interface = BPF_CORE_READ(skb, skb_iif);
	kd_find_headers(&sight, skb, 0);
	return kd_see(&sight);
}

SEC("tp_btf/consume_skb")
int BPF_PROG(kd_path_consume_skb, struct sk_buff *skb)
{
	struct kd_sight sight = {};
	__u64 key = (__u64)skb;

	if (!bpf_map_lookup_elem(&kd_path_followed, &key))
		return 0;
	sight.place = KD_PATH_CONSUMED;
	kd_find_place(&sight, skb);
	kd_find_headers(&sight, skb, 0);
	return kd_see(&sight);
}

SEC("tp_btf/kfree_skb")
int BPF_PROG(kd_path_kfree_skb, struct sk_buff *skb, void *location, int reason)
{
	struct kd_sight sight = {};

	sight.place = KD_PATH_DROPPED;
	sight.location = (__u64)location;
	sight.reason = reason;
	kd_find_place(&sight, skb);
	if (sight.netns && !kd_path_in_scope(sight.netns))
		return 0;
	kd_find_headers(&sight, skb, 0);
	return kd_see(&sight);
}

SEC("tp_btf/icmp_send")
int BPF_PROG(kd_path_icmp_send, const struct sk_buff *skb, int type, int code)
{
	struct kd_sight sight = {};

	sight.place = KD_PATH_ICMP;
	sight.reason = (type & 255) << 8 | (code & 255);
	kd_find_place(&sight, skb);
	kd_find_headers(&sight, skb, 0);
	return kd_see(&sight);
}
