/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
#pragma once

#include <linux/types.h>

#include "bpf/wire/control.h"

/*
 * TCP's own state of a connection or listener: written to the control ring at its end, and by the sampling
 * iterators while it lasts. Counters are cumulative.
 */

struct kd_tcp_stats {
	struct kd_control control;
	__u64 conn;
	__u64 boot_ns;
	__u64 sent_bytes; /* each once, however often it was sent */
	__u64 received_bytes;
	__u64 busy_us; /* with unacknowledged or unsent data; of that ... */
	__u64 receiver_limited_us; /* ... waiting for the receiver's window */
	__u64 sender_limited_us; /* ... for room in the own send buffer */
	__u32 sent_segments; /* with data; those sent again count again */
	__u32 received_segments;
	__u32 retransmits; /* segments; beyond those of the three causes: loss probes, cause not known */
	__u32 timeout_retransmits;
	__u32 fast_retransmits;
	__u32 syn_retransmits;
	__u32 lost_segments; /* as the sender judges */
	__u32 out_of_order; /* segments received */
	__u32 srtt_us; /* 0: not measured, as min_rtt_us */
	__u32 min_rtt_us; /* of the last minutes */
	__u32 resets_sent;
	__u32 resets_received;
	__s32 end_error; /* errno that the connection ended with */
	__u8 reset_reason; /* enum sk_rst_reason of the running kernel */
	__u8 congestion; /* enum tcp_ca_state */
	__u8 zero_window; /* the receiver takes nothing now */
	__u8 ended;
};

struct kd_listener_stats {
	struct kd_control control;
	__u64 conn;
	__u64 boot_ns;
	__u32 netns;
	__u32 tgid;
	__u32 drops; /* connections and SYNs thrown away, for want of room in the queue above all */
	__u32 queued; /* wait to be accepted */
	__u32 queue_max; /* more than this are not queued */
	__u32 synack_retransmits;
	__u32 resets_sent;
	__u8 reset_reason;
	__u8 ended;
	__u8 pad[2];
	struct kd_endpoints ends;
};

#ifdef __cplusplus
static_assert(sizeof(struct kd_tcp_stats) == 120, "kd_tcp_stats");
static_assert(sizeof(struct kd_listener_stats) == 96, "kd_listener_stats");
#else
_Static_assert(sizeof(struct kd_tcp_stats) == 120, "kd_tcp_stats");
_Static_assert(sizeof(struct kd_listener_stats) == 96, "kd_listener_stats");
#endif
