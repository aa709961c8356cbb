/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
#pragma once

#include <linux/types.h>

/*
 * Records of the data ring: kd_data, then `captured` bytes, then, if KD_DATA_HAS_PEER is set, padding to
 * the next multiple of 8 and a kd_peer.
 */

#define KD_SENT	    1
#define KD_RECEIVED 2

#define KD_DATA_HAS_PEER     1 /* a kd_peer ends the record */
#define KD_DATA_PEER_FOLLOWS 2 /* the peer was not known yet: a KD_DATA_PEER_OF record gives it */
#define KD_DATA_PEER_OF	     4 /* no data: the peer of the record of the same conn and position */
#define KD_DATA_STREAMLESS   8 /* not TCP: the end of this socket is seen only by a sweep */

struct kd_data {
	__u64 conn;
	__u64 boot_ns;
	__u64 position;
	__u32 size;
	__u32 tcp_seq;
	__u32 turn;
	__u32 tgid;
	__u32 tid;
	__u16 captured;
	__u8 direction;
	__u8 flags;
};

struct kd_peer {
	__u16 family;
	__u16 port; /* host order */
	__u32 pad;
	__u8 address[16];
};

#ifdef __cplusplus
static_assert(sizeof(struct kd_data) == 48, "kd_data");
static_assert(sizeof(struct kd_peer) == 24, "kd_peer");
#else
_Static_assert(sizeof(struct kd_data) == 48, "kd_data");
_Static_assert(sizeof(struct kd_peer) == 24, "kd_peer");
#endif
