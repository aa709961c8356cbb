/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
#pragma once

#include "bpf/common/conn.bpf.h"
#include "bpf/lib/iovec.h"
#include "bpf/lib/syscalls.h"
#include "bpf/lib/turns.h"
#include "bpf/maps/payload_verdicts.h"
#include "bpf/maps/scratch.h"
#include "bpf/maps/threads.h"

/* struct user_msghdr, which is the system call interface. */
struct kd_user_msghdr {
	__u64 name;
	__u32 name_length;
	__u32 pad;
	__u64 iov;
	__u64 iov_length;
	__u64 control;
	__u64 control_length;
	__u64 flags;
};

/* One call, or one message of a call, that moved bytes over a socket. */
struct kd_move {
	__u64 arg; /* user address: buffer, iovec array or msghdr */
	__u64 count; /* length of the iovec array */
	__u64 peer; /* user address of a sockaddr; 0: none */
	__u32 size; /* bytes moved */
	__u32 tcp_seq;
	enum kd_shape shape; /* never KD_SHAPE_MESSAGES */
	__u8 direction;
	__u8 peer_later; /* the kernel writes *peer only after this */
};

/*
 * At most `max`, a constant, in a form that older verifiers (6.1) follow: the compiler may otherwise compare
 * one register and go on with another, whose bounds the verifier does not know.
 */
#define kd_at_most(value, max)                                                            \
	({                                                                                \
		__u64 kd_value = (value);                                                 \
		asm volatile("if %0 <= %1 goto +1\n%0 = %1" : "+r"(kd_value) : "i"(max)); \
		kd_value;                                                                 \
	})
#define kd_bounded(bytes) kd_at_most(bytes, KD_PAYLOAD_MAX)

static __always_inline __u32 kd_copy_vector(struct kd_scratch *s, __u64 iov, __u64 count,
					    __u32 wanted)
{
	__u32 done = 0;

	count = kd_at_most(count, KD_IOVECS);
	if (!count || bpf_probe_read_user(s->iovecs, count * sizeof(s->iovecs[0]), (void *)iov))
		return 0;
	for (__u32 i = 0; i < KD_IOVECS; i++) {
		__u32 take;

		if (i >= count || done >= wanted || done >= KD_PAYLOAD_MAX)
			break;
		take = kd_take(s->iovecs[i].length, done, wanted);
		if (take > KD_PAYLOAD_MAX)
			break;
		if (bpf_probe_read_user(s->payload + done, take, (void *)s->iovecs[i].base))
			break;
		done += take;
	}
	return done;
}

/* Puts up to `wanted` bytes of the call into s->payload and returns how many. */
static __always_inline __u32 kd_copy_payload(struct kd_scratch *s, const struct kd_move *move,
					     __u32 wanted)
{
	wanted = kd_bounded(wanted);
	if (move->shape == KD_SHAPE_BUFFER)
		return bpf_probe_read_user(s->payload, wanted, (void *)move->arg) ? 0 : wanted;
	return kd_copy_vector(s, move->arg, move->count, wanted);
}

/* A user's sockaddr as a peer; false unless it is an address of the internet families. */
static __always_inline int kd_read_peer(struct kd_peer *peer, __u64 address)
{
	__u8 raw[28] = {};

	if (!address || bpf_probe_read_user(raw, 16, (void *)address))
		return 0;
	peer->family = *(__u16 *)raw;
	peer->port = bpf_ntohs(*(__u16 *)(raw + 2));
	peer->pad = 0;
	if (peer->family == AF_INET) {
		__builtin_memset(peer->address, 0, sizeof(peer->address));
		__builtin_memcpy(peer->address, raw + 4, 4);
		return 1;
	}
	if (peer->family != AF_INET6)
		return 0;
	return !bpf_probe_read_user(peer->address, 16, (void *)(address + 8));
}

/* Writes the data record of `move` on `c`, whose counters are already advanced. */
static __always_inline int kd_emit(struct kd_conn *c, const struct kd_move *move, __u64 position,
				   __u32 turn)
{
	__u32 zero = 0, slot = c->id & (KD_VERDICTS - 1), captured = 0, length;
	struct kd_scratch *s = bpf_map_lookup_elem(&kd_scratch, &zero);
	struct kd_verdict *verdict = bpf_map_lookup_elem(&kd_payload_verdicts, &slot);
	__u64 pid_tgid = bpf_get_current_pid_tgid();
	__u32 limit = *(volatile __u32 *)&kd_payload_bytes;

	if (!s || !verdict || !limit)
		return 0;
	s->data.conn = c->id;
	s->data.boot_ns = bpf_ktime_get_boot_ns();
	s->data.position = position;
	s->data.size = move->size;
	s->data.tcp_seq = move->tcp_seq;
	s->data.turn = turn;
	s->data.tgid = pid_tgid >> 32;
	s->data.tid = pid_tgid;
	s->data.direction = move->direction;
	s->data.flags = c->transport == KD_TRANSPORT_TCP ? 0 : KD_DATA_STREAMLESS;
	if (move->shape > KD_SHAPE_OPAQUE &&
	    !(verdict->conn == c->id && verdict->without_payload)) {
		__u32 wanted = move->size < limit ? move->size : limit;

		captured = kd_copy_payload(s, move, wanted);
		if (!captured)
			kd_count(unread_payload, 1);
	}
	captured = kd_bounded(captured);
	s->data.captured = captured;
	length = captured;
	if (c->flags & KD_CONN_UNCONNECTED && move->peer) {
		if (move->peer_later) {
			s->data.flags |= KD_DATA_PEER_FOLLOWS;
		} else {
			struct kd_peer peer = {};

			if (kd_read_peer(&peer, move->peer)) {
				length = (length + 7) & ~7;
				if (length > KD_PAYLOAD_MAX)
					length = KD_PAYLOAD_MAX;
				__builtin_memcpy(s->payload + length, &peer, sizeof(peer));
				length += sizeof(peer);
				s->data.flags |= KD_DATA_HAS_PEER;
			}
		}
	}
	if (bpf_ringbuf_output(&kd_data_ring, s, sizeof(s->data) + length, BPF_RB_NO_WAKEUP)) {
		kd_count(data_events, 1);
		kd_count(data_bytes, move->size);
	}
	return 0;
}

/* Counts `move` on `c` and reports it. */
static __always_inline void kd_moved(struct kd_conn *c, const struct kd_move *move)
{
	__u64 *total = move->direction == KD_SENT ? &c->sent_bytes : &c->received_bytes;
	__u64 position = __sync_fetch_and_add(total, move->size);

	kd_emit(c, move, position, kd_count_turn(&c->turns, move->direction));
}

/* Takes a call's vector and peer from the msghdr at a user address. */
static __always_inline void kd_read_message(struct kd_move *move, __u64 address)
{
	struct kd_user_msghdr message = {};

	if (bpf_probe_read_user(&message, sizeof(message), (void *)address)) {
		move->shape = KD_SHAPE_OPAQUE;
		return;
	}
	move->shape = KD_SHAPE_VECTOR;
	move->arg = message.iov;
	move->count = message.iov_length;
	move->peer = message.name;
}
