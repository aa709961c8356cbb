/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
#pragma once

/* The programs of TCP's health: what was sent again, resets, samples. Included by capture.bpf.c. */

#include "bpf/common/tcp.bpf.h"
#include "bpf/wire/drops.h"

/*
 * Counts what was sent again by cause. The sum is the socket's own, so that nothing is missed where this is not
 * in use or an attempt failed.
 */
SEC("tp_btf/tcp_retransmit_skb")
int kd_tcp_retransmit_skb(unsigned long long *ctx)
{
	struct sock *sk = (struct sock *)ctx[0];
	const struct sk_buff *skb = (const struct sk_buff *)ctx[1];
	const struct inet_connection_sock *icsk = (const struct inet_connection_sock *)sk;
	const struct tcp_skb_cb *cb;
	struct kd_conn *c;
	__u32 *counter;
	__u8 congestion;
	__u16 segments;

	if (!sk || !skb)
		return 0;
	/* Told of as well, and not counted: what is still on its way out of this host (EBUSY). */
	if (kd_has_retransmit_errors && (int)ctx[2])
		return 0;
	c = kd_find(sk);
	if (!c)
		return 0;
	congestion = BPF_CORE_READ_BITFIELD_PROBED(icsk, icsk_ca_state);
	if (sk->__sk_common.skc_state == TCP_SYN_SENT)
		counter = &c->tcp.syn_retransmits;
	else if (congestion == TCP_CA_Loss)
		counter = &c->tcp.timeout_retransmits;
	else if (congestion == TCP_CA_Recovery)
		counter = &c->tcp.fast_retransmits;
	else
		return 0; /* a loss probe */
	cb = (const void *)skb + bpf_core_field_offset(skb->cb);
	segments = BPF_CORE_READ(cb, tcp_gso_segs);
	*counter += segments ?: 1;
	return 0;
}

SEC("tp_btf/tcp_retransmit_synack")
int BPF_PROG(kd_tcp_retransmit_synack, struct sock *sk, struct request_sock *request)
{
	struct kd_conn *c;

	if (!sk)
		return 0;
	c = kd_find(sk);
	if (c)
		__sync_fetch_and_add(&c->tcp.syn_retransmits, 1);
	return 0;
}

/* Of resets that no socket sends nothing is kept. */
SEC("tp_btf/tcp_send_reset")
int kd_tcp_send_reset(unsigned long long *ctx)
{
	struct sock *sk = (struct sock *)ctx[0];
	struct kd_conn *c;

	if (!sk)
		return 0;
	c = kd_find(sk);
	if (!c)
		return 0;
	__sync_fetch_and_add(&c->tcp.resets_sent, 1);
	if (kd_has_reset_reasons)
		c->tcp.reset_reason = ctx[2];
	return 0;
}

SEC("tp_btf/tcp_receive_reset")
int BPF_PROG(kd_tcp_receive_reset, struct sock *sk)
{
	struct kd_conn *c;

	if (!sk)
		return 0;
	c = kd_find(sk);
	if (c && c->tcp.resets_received < 255)
		c->tcp.resets_received++;
	return 0;
}

/* ---- samples of what is open ---- */

static __always_inline int kd_sample_listener(struct seq_file *seq, const struct kd_conn *c,
					      const struct sock *sk)
{
	struct kd_listener_stats stats = {};

	if (BPF_CORE_READ(sk, __sk_common.skc_state) != TCP_LISTEN)
		return 0;
	kd_fill_listener(&stats, c, sk);
	bpf_seq_write(seq, &stats, sizeof(stats));
	return 0;
}

/* A UDP socket has something to tell once it has thrown something away. */
static __always_inline int kd_sample_udp(struct seq_file *seq, const struct kd_conn *c,
					 const struct sock *sk)
{
	__u32 drops = kd_less(kd_socket_drops(sk), c->tcp.counted_before);
	struct kd_udp_stats stats = {};

	if (!drops || !(c->flags & KD_CONN_OPENED))
		return 0;
	stats.control.type = KD_CONTROL_UDP;
	stats.control.size = sizeof(stats);
	stats.conn = c->id;
	stats.boot_ns = bpf_ktime_get_boot_ns();
	stats.netns = c->netns;
	stats.tgid = c->tgid;
	stats.drops = drops;
	kd_read_endpoints(&stats.ends, sk);
	bpf_seq_write(seq, &stats, sizeof(stats));
	return 0;
}

SEC("iter/bpf_sk_storage_map")
int kd_sample_tcp(struct bpf_iter__bpf_sk_storage_map *ctx)
{
	struct kd_conn *c = ctx->value;
	struct sock *sk = ctx->sk;
	struct kd_tcp_stats stats = {};
	struct tcp_sock *tp;

	if (!c || !sk)
		return 0;
	if (c->transport == KD_TRANSPORT_UDP)
		return kd_sample_udp(ctx->meta->seq, c, sk);
	if (c->transport != KD_TRANSPORT_TCP)
		return 0;
	if (c->flags & KD_CONN_LISTENER)
		return kd_sample_listener(ctx->meta->seq, c, sk);
	if (!(c->flags & KD_CONN_OPENED) || c->tcp.end_state)
		return 0;
	tp = bpf_skc_to_tcp_sock(sk);
	if (!tp)
		return 0;
	kd_fill_tcp(&stats, c, tp, 1);
	bpf_seq_write(ctx->meta->seq, &stats, sizeof(stats));
	return 0;
}

SEC("iter/bpf_map_elem")
int kd_sample_tcp_by_address(struct bpf_iter__bpf_map_elem *ctx)
{
	struct kd_conn_by_address *entry = ctx->value;
	const __u64 *key = ctx->key;
	struct kd_tcp_stats stats = {};
	const struct sock *sk;

	if (!entry || !key)
		return 0;
	sk = (const struct sock *)*key;
	/* Of what is not TCP the end is not seen: the address may be another socket's by now. */
	if (entry->conn.transport == KD_TRANSPORT_UDP)
		return entry->inode && entry->inode == kd_socket_inode(sk)
			       ? kd_sample_udp(ctx->meta->seq, &entry->conn, sk)
			       : 0;
	if (entry->conn.transport != KD_TRANSPORT_TCP)
		return 0;
	/* TCP's socket is there as long as the entry, which goes with it. */
	if (entry->conn.flags & KD_CONN_LISTENER)
		return kd_sample_listener(ctx->meta->seq, &entry->conn, sk);
	if (!(entry->conn.flags & KD_CONN_OPENED) || entry->conn.tcp.end_state)
		return 0;
	kd_fill_tcp(&stats, &entry->conn, (const struct tcp_sock *)sk, 0);
	bpf_seq_write(ctx->meta->seq, &stats, sizeof(stats));
	return 0;
}
