/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
#pragma once

#include <linux/types.h>

#include "bpf/wire/control.h"

/* Packets that the kernel threw away, summed by what they have in common. User space reads the sums. */

#define KD_PACKET_SENT	   1 /* on its way out of this namespace */
#define KD_PACKET_RECEIVED 2 /* came in by a device; one that is forwarded too */

/* Addresses and ports as the packet had them where it was dropped, after any translation that came before. */
struct kd_drop_key {
	__u32 netns;
	__u32 reason; /* enum skb_drop_reason of the running kernel; 0: it gives none */
	__u8 source[16]; /* IPv4 in the first four */
	__u8 destination[16];
	__u16 source_port; /* host order; both 0: none, or not readable */
	__u16 destination_port;
	__u16 ethertype; /* host order; 0: not set yet */
	__u8 family; /* of the addresses; 0: none */
	__u8 protocol; /* IP's number */
	__u8 direction;
	__u8 pad[3];
};

struct kd_drop_sum {
	__u64 packets; /* as the kernel handles them: a large one that a device cuts up later counts once */
	__u64 bytes; /* from IP's header on, where it is known */
};

/* A UDP socket that has thrown packets away: written by the sampling iterators. Cumulative. */
struct kd_udp_stats {
	struct kd_control control;
	__u64 conn;
	__u64 boot_ns;
	__u32 netns;
	__u32 tgid;
	__u32 drops; /* received for it and not queued, for want of room above all; since it is known */
	__u32 pad;
	struct kd_endpoints ends;
};

#ifdef __cplusplus
static_assert(sizeof(struct kd_drop_key) == 52, "kd_drop_key");
static_assert(sizeof(struct kd_drop_sum) == 16, "kd_drop_sum");
static_assert(sizeof(struct kd_udp_stats) == 80, "kd_udp_stats");
#else
_Static_assert(sizeof(struct kd_drop_key) == 52, "kd_drop_key");
_Static_assert(sizeof(struct kd_drop_sum) == 16, "kd_drop_sum");
_Static_assert(sizeof(struct kd_udp_stats) == 80, "kd_udp_stats");
#endif
