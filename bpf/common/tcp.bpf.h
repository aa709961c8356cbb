/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
#pragma once

#include "bpf/common/conn.bpf.h"
#include "bpf/wire/tcp.h"

/* TCP's own state of a socket in scope, into the records of wire/tcp.h. */

/*
 * TCP_DELACK_MAX is a fifth of a second, in ticks: how many a second has is told on every kernel by nothing else
 * (CONFIG_HZ needs the kernel's configuration at hand). A BPF program may have set another one for its sockets.
 */
#define KD_DELACK_PER_SECOND 5

/* A field of a typed socket, or of one of which only the address is known; `typed` is a constant. */
#define KD_SOCK(typed, p, field) ((typed) ? (p)->field : BPF_CORE_READ(p, field))

/* What is read a moment apart, or begins anew with tcp_disconnect(), must not wrap. */
static __always_inline __u64 kd_less(__u64 a, __u64 b)
{
	return a > b ? a - b : 0;
}

static __always_inline __u32 kd_ticks_since(__u32 start, __u32 now)
{
	__s32 ticks = (__s32)(now - start);

	return ticks > 0 ? ticks : 0;
}

/* Ticks spent in one of TCP's three states of sending, as tcp_get_info_chrono_stats() has it. */
#define KD_CHRONO(typed, tp, at, running, now)        \
	((__u64)KD_SOCK(typed, tp, chrono_stat[at]) + \
	 ((running) == (at) + 1 ? kd_ticks_since(KD_SOCK(typed, tp, chrono_start), now) : 0))

static __always_inline void kd_fill_times(struct kd_tcp_stats *out, const struct tcp_sock *tp,
					  const int typed)
{
	const struct inet_connection_sock *icsk = (const struct inet_connection_sock *)tp;
	__u32 running = BPF_CORE_READ_BITFIELD_PROBED(tp, chrono_type);
	__u32 now = bpf_jiffies64(), second = 0;

	if (bpf_core_field_exists(icsk->icsk_delack_max))
		second = BPF_CORE_READ(icsk, icsk_delack_max) * KD_DELACK_PER_SECOND;
	if (!second)
		return;
	out->receiver_limited_us = KD_CHRONO(typed, tp, 1, running, now) * 1000000 / second;
	out->sender_limited_us = KD_CHRONO(typed, tp, 2, running, now) * 1000000 / second;
	out->busy_us = KD_CHRONO(typed, tp, 0, running, now) * 1000000 / second +
		       out->receiver_limited_us + out->sender_limited_us;
}

/* Of all connections that the socket has had. */
static __always_inline __u32 kd_socket_retransmits(struct sock *sk)
{
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);

	return tp ? tp->total_retrans : 0;
}

/* Retransmits of the socket since the connection began. */
static __always_inline __u32 kd_retransmits(const struct kd_conn *c, __u32 of_socket)
{
	return kd_less(of_socket, c->tcp.counted_before);
}

static __always_inline void kd_fill_tcp(struct kd_tcp_stats *out, const struct kd_conn *c,
					const struct tcp_sock *tp, const int typed)
{
	const struct inet_connection_sock *icsk = (const struct inet_connection_sock *)tp;
	const struct sock *sk = (const struct sock *)tp;

	out->control.type = KD_CONTROL_TCP;
	out->control.size = sizeof(*out);
	out->conn = c->id;
	out->boot_ns = bpf_ktime_get_boot_ns();
	out->sent_bytes =
		kd_less(KD_SOCK(typed, tp, bytes_sent), KD_SOCK(typed, tp, bytes_retrans));
	/* The peer's FIN counts as a byte. */
	out->received_bytes = KD_SOCK(typed, tp, bytes_received);
	if (out->received_bytes && KD_SOCK(typed, sk, __sk_common.skc_flags) & 1UL << SOCK_DONE)
		out->received_bytes--;
	kd_fill_times(out, tp, typed);
	out->sent_segments = KD_SOCK(typed, tp, data_segs_out);
	out->received_segments = KD_SOCK(typed, tp, data_segs_in);
	out->retransmits = kd_retransmits(c, KD_SOCK(typed, tp, total_retrans));
	out->timeout_retransmits = c->tcp.timeout_retransmits;
	out->fast_retransmits = c->tcp.fast_retransmits;
	out->syn_retransmits = c->tcp.syn_retransmits;
	out->lost_segments = KD_SOCK(typed, tp, lost);
	if (bpf_core_field_exists(tp->rcv_ooopack))
		out->out_of_order = KD_SOCK(typed, tp, rcv_ooopack);
	out->srtt_us = KD_SOCK(typed, tp, srtt_us) >> 3; /* kept times eight */
	out->min_rtt_us = KD_SOCK(typed, tp, rtt_min.s[0].v);
	if (out->min_rtt_us == ~0U)
		out->min_rtt_us = 0;
	out->resets_sent = c->tcp.resets_sent;
	out->resets_received = c->tcp.resets_received;
	out->reset_reason = c->tcp.reset_reason;
	out->end_error = c->tcp.end_error;
	out->congestion = BPF_CORE_READ_BITFIELD_PROBED(icsk, icsk_ca_state);
	out->zero_window = !c->tcp.end_state && !KD_SOCK(typed, tp, snd_wnd);
}

static __always_inline void kd_fill_listener(struct kd_listener_stats *out, const struct kd_conn *c,
					     const struct sock *sk)
{
	out->control.type = KD_CONTROL_LISTENER;
	out->control.size = sizeof(*out);
	out->conn = c->id;
	out->boot_ns = bpf_ktime_get_boot_ns();
	out->netns = c->netns;
	out->tgid = c->tgid;
	out->drops = kd_less(kd_socket_drops(sk), c->tcp.counted_before);
	out->queued = BPF_CORE_READ(sk, sk_ack_backlog);
	out->queue_max = BPF_CORE_READ(sk, sk_max_ack_backlog);
	out->synack_retransmits = c->tcp.syn_retransmits;
	out->resets_sent = c->tcp.resets_sent;
	out->reset_reason = c->tcp.reset_reason;
	kd_read_endpoints(&out->ends, sk);
}

/* The last word of TCP on a connection that user space was told of. */
static __noinline int kd_announce_tcp_end(struct kd_conn *c, struct sock *sk)
{
	struct kd_tcp_stats *stats;
	struct tcp_sock *tp;

	if (!c)
		return 0;
	tp = bpf_skc_to_tcp_sock(sk);
	if (!tp || c->transport != KD_TRANSPORT_TCP)
		return 0;
	/* From these states only a reset leads to the end where nothing came from the peer. */
	if (!kd_sees_resets && !c->tcp.end_error && !c->tcp.resets_received &&
	    (c->tcp.end_state == TCP_ESTABLISHED || c->tcp.end_state == TCP_CLOSE_WAIT))
		c->tcp.resets_sent = 1;
	stats = bpf_ringbuf_reserve(&kd_control_ring, sizeof(*stats), 0);
	if (!stats) {
		kd_count(control_events, 1);
		return 0;
	}
	__builtin_memset(stats, 0, sizeof(*stats));
	kd_fill_tcp(stats, c, tp, 1);
	stats->ended = 1;
	bpf_ringbuf_submit(stats, BPF_RB_NO_WAKEUP);
	return 0;
}

static __always_inline void kd_announce_listener_end(struct kd_conn *c, const struct sock *sk)
{
	struct kd_listener_stats *stats = bpf_ringbuf_reserve(&kd_control_ring, sizeof(*stats), 0);

	if (!stats) {
		kd_count(control_events, 1);
		return;
	}
	__builtin_memset(stats, 0, sizeof(*stats));
	kd_fill_listener(stats, c, sk);
	stats->ended = 1;
	bpf_ringbuf_submit(stats, BPF_RB_NO_WAKEUP);
}

/* The connection of `sk` is over; what it was in, and with which error. */
static __always_inline void kd_note_tcp_end(struct kd_conn *c, struct sock *sk, int before)
{
	c->tcp.end_state = before;
	c->tcp.end_error = sk->sk_err;
	/* Where the hook of received resets is not in use. */
	if (!c->tcp.resets_received && (sk->sk_err == ECONNRESET || sk->sk_err == EPIPE))
		c->tcp.resets_received = 1;
}
