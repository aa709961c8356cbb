/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
#pragma once

/* Packets that the kernel throws away. Included by capture.bpf.c. */

#include "bpf/common/conn.bpf.h"
#include "bpf/lib/packet.h"
#include "bpf/maps/drops.h"

/*
 * Inode numbers of namespaces begin here (PROC_DYNAMIC_FIRST). `dev` of a packet that waits at a socket is other data:
 * what is read through it is no namespace.
 */
#define KD_FIRST_NETNS 0xF0000000U

#define KD_TCP_TIME_WAIT    6
#define KD_TCP_NEW_SYN_RECV 12

static __always_inline __u32 kd_namespace_or_none(__u32 inum)
{
	return inum >= KD_FIRST_NETNS ? inum : 0;
}

/* A socket of IP's families; what is freed of any other is no packet. */
static __always_inline int kd_is_inet(const struct sock *sk)
{
	__u16 family = BPF_CORE_READ(sk, __sk_common.skc_family);

	return family == AF_INET || family == AF_INET6;
}

/* By pid or cgroup: its namespace alone does not say. */
static __always_inline int kd_is_socket_in_scope(struct sock *sk)
{
	return sk && (kd_scope_by_tgid || kd_scope_cgroup_count) && kd_find(sk);
}

/* Ends from the header of the network layer. 0: it is not there, or not in the packet's linear part. */
static __always_inline int kd_ends_of_packet(const struct sk_buff *skb, struct kd_drop_key *key)
{
	const unsigned char *head = skb->head;
	__u32 at = skb->network_header, tail = (__u32)(__u64)skb->tail;
	__u8 bytes[KD_IPV6_BYTES];
	int ports;

	/* There is room before every packet: 0 is a header that was not set. */
	if (!at)
		return 0;
	if (key->ethertype == KD_ETH_IPV4) {
		if (at + KD_IPV4_BYTES > tail ||
		    bpf_probe_read_kernel(bytes, KD_IPV4_BYTES, head + at))
			return 0;
		ports = kd_parse_ipv4(bytes, key);
	} else if (key->ethertype == KD_ETH_IPV6) {
		if (at + KD_IPV6_BYTES > tail ||
		    bpf_probe_read_kernel(bytes, KD_IPV6_BYTES, head + at))
			return 0;
		ports = kd_parse_ipv6(bytes, key);
	} else {
		return 0;
	}
	if (ports == KD_NOT_A_PACKET)
		return 0;
	if (ports && at + ports + KD_PORTS_BYTES <= tail &&
	    !bpf_probe_read_kernel(bytes, KD_PORTS_BYTES, head + at + ports))
		kd_parse_ports(bytes, key);
	return 1;
}

/* A packet that never got its headers, as where there is no route: it is its socket's. */
static __always_inline void kd_ends_of_socket(const struct sock *sk, struct kd_drop_key *key)
{
	__u8 state = BPF_CORE_READ(sk, __sk_common.skc_state);
	struct kd_endpoints ends = {};

	if (state == KD_TCP_TIME_WAIT || state == KD_TCP_NEW_SYN_RECV)
		return;
	kd_read_endpoints(&ends, sk);
	key->family = ends.family;
	key->protocol = BPF_CORE_READ(sk, sk_protocol);
	key->source_port = ends.local_port;
	key->destination_port = ends.remote_port;
	__builtin_memcpy(key->source, ends.local, sizeof(key->source));
	__builtin_memcpy(key->destination, ends.remote, sizeof(key->destination));
}

static __always_inline int kd_add_drop(void *map, const struct kd_drop_key *key, __u32 bytes)
{
	struct kd_drop_sum *sum = bpf_map_lookup_elem(map, key);

	if (!sum) {
		struct kd_drop_sum none = {};

		bpf_map_update_elem(map, key, &none, BPF_NOEXIST);
		sum = bpf_map_lookup_elem(map, key);
		if (!sum)
			return 0;
	}
	__sync_fetch_and_add(&sum->packets, 1);
	__sync_fetch_and_add(&sum->bytes, bytes);
	return 1;
}

/*
 * Every packet that is thrown away, and none that is used up: those are told by consume_skb. Runs in any
 * context: the current task means nothing.
 */
SEC("tp_btf/kfree_skb")
int kd_kfree_skb(unsigned long long *ctx)
{
	const struct sk_buff *skb = (const struct sk_buff *)ctx[0];
	const struct net_device *device = skb->dev;
	struct sock *sk = skb->sk;
	struct kd_drop_key key = {};
	__u32 of_device = 0, bytes;
	int has_header;

	if (kd_has_drop_sockets && ctx[3])
		sk = (struct sock *)ctx[3];
	/* The namespace in which it was dropped is the device's: a packet that crosses over may still have its sender's socket. */
	if (device)
		of_device = kd_namespace_or_none(BPF_CORE_READ(device, nd_net.net, ns.inum));
	key.netns = of_device;
	if (!key.netns && sk)
		key.netns = kd_namespace_or_none(kd_netns_of(sk));
	if (!key.netns)
		return 0;
	if (!kd_netns_in_scope(key.netns) && !kd_is_socket_in_scope(sk))
		return 0;

	if (kd_has_drop_reasons)
		key.reason = ctx[2];
	key.ethertype = bpf_ntohs(skb->protocol);
	key.direction = skb->skb_iif ? KD_PACKET_RECEIVED : KD_PACKET_SENT;
	has_header = kd_ends_of_packet(skb, &key);
	if (!has_header && sk) {
		if (!kd_is_inet(sk)) {
			if (!of_device)
				return 0;
		} else if (key.direction == KD_PACKET_SENT) {
			kd_ends_of_socket(sk, &key);
		}
	}
	bytes = skb->len;
	/*
	 * What was left unread at a socket that closed. Of a segment of TCP without data nothing was: it was
	 * acknowledged, and says no more than that the peer closed too.
	 */
	if (!bytes && key.protocol == IPPROTO_TCP && key.reason == kd_purge_reason)
		return 0;
	/* Where the headers have been taken off already they belong to the packet all the same. */
	if (has_header)
		bytes += (__u32)(skb->data - skb->head) - skb->network_header;
	if (kd_add_drop(&kd_drops, &key, bytes))
		return 0;
	__builtin_memset(key.source, 0, sizeof(key.source));
	__builtin_memset(key.destination, 0, sizeof(key.destination));
	key.source_port = key.destination_port = 0;
	key.family = 0;
	if (!kd_add_drop(&kd_drops_beyond, &key, bytes))
		kd_count(map_full, 1);
	return 0;
}
