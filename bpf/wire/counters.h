/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
#pragma once

#include <linux/types.h>

/* What the sweep iterators write: the counters of one connection, kept beside the rings. */
struct kd_counters {
	__u64 conn;
	__u64 sent_bytes;
	__u64 received_bytes;
	__u32 turns;
	__u8 transport;
	__u8 closed; /* the socket is gone: the last word */
	__u16 pad;
};

/* Loss counters of one CPU, a cache line each, in memory that user space maps. */
struct kd_loss {
	__u64 control_events;
	__u64 data_events;
	__u64 data_bytes;
	__u64 map_full;
	__u64 unread_payload;
	__u64 pad[3];
};

/* An entry of the payload verdicts: honoured only while `conn` is the id of the connection that asks. */
struct kd_verdict {
	__u64 conn;
	__u64 without_payload;
};

#ifdef __cplusplus
static_assert(sizeof(struct kd_counters) == 32, "kd_counters");
static_assert(sizeof(struct kd_loss) == 64, "kd_loss");
static_assert(sizeof(struct kd_verdict) == 16, "kd_verdict");
#else
_Static_assert(sizeof(struct kd_counters) == 32, "kd_counters");
_Static_assert(sizeof(struct kd_loss) == 64, "kd_loss");
_Static_assert(sizeof(struct kd_verdict) == 16, "kd_verdict");
#endif
