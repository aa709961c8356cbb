/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
#pragma once

#define KD_CONN_OPENED	    1 /* user space was told of it */
#define KD_CONN_LISTENER    2 /* a listening socket; in a child: not looked at yet */
#define KD_CONN_CONNECTING  4 /* SYN sent */
#define KD_CONN_UNDECIDED   8 /* accepted; whether in scope is known at its first call */
#define KD_CONN_UNCONNECTED 16 /* a UDP socket without a fixed peer */

/* What TCP's hooks have told of one socket; zeros for any other. */
struct kd_tcp {
	__u32 counted_before; /* retransmits of the socket when it began; of a listener and of UDP: drops when found */
	/* Segments sent again, by cause; of a listener `syn` counts its SYN-ACKs. */
	__u32 timeout_retransmits;
	__u32 fast_retransmits;
	__u32 syn_retransmits;
	__u32 resets_sent;
	__s32 end_error;
	__u8 resets_received;
	__u8 reset_reason; /* enum sk_rst_reason of the last one sent */
	__u8 end_state; /* it was in before TCP_CLOSE; 0: it is open */
	__u8 pad[5];
};

/* State of one socket in scope. */
struct kd_conn {
	__u64 id;
	__u64 sent_bytes;
	__u64 received_bytes;
	__u64 started_ns; /* SYN sent, or established */
	__u64 turns; /* kd_count_turn()'s word */
	__u32 tgid; /* who connected, listened or used it first */
	__u32 tid;
	__u32 netns;
	__u8 transport;
	__u8 side;
	__u8 flags;
	__u8 pad;
	struct kd_tcp tcp;
};

/*
 * Key: the socket. Written by every program that meets a socket in scope; the kernel frees an entry with
 * its socket. A listener's entry is copied to the sockets accepted from it (BPF_F_CLONE). When an entry
 * cannot be made (socket option memory is used up) the call is counted in kd_loss.map_full.
 */
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC | BPF_F_CLONE);
	__type(key, int);
	__type(value, struct kd_conn);
} kd_conns SEC(".maps");
