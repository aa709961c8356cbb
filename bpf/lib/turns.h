/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
#pragma once

#include <linux/types.h>

#include "bpf/lib/inline.h"

/*
 * How often a connection's direction changed, 1 from the first byte on, and the direction of the last call,
 * in one word: threads that use a socket at once then change both or neither. 0: no call yet.
 */
#define KD_TURN_DIRECTION_BITS 2
#define KD_TURN_DIRECTION_MASK ((1u << KD_TURN_DIRECTION_BITS) - 1)
/* Others were faster so often only where as many turns were counted meanwhile. */
#define KD_TURN_TRIES 8

static __always_inline __u32 kd_turns(__u64 word)
{
	return word >> KD_TURN_DIRECTION_BITS;
}

/* Counts a call in `direction` (1 or 2); returns the turn that it belongs to. */
static __always_inline __u32 kd_count_turn(__u64 *word, __u8 direction)
{
	__u64 seen = *(volatile __u64 *)word;

	for (int i = 0; i < KD_TURN_TRIES; i++) {
		__u64 before = seen, after;

		if ((before & KD_TURN_DIRECTION_MASK) == direction)
			break;
		after = (((before >> KD_TURN_DIRECTION_BITS) + 1) << KD_TURN_DIRECTION_BITS) |
			direction;
		seen = __sync_val_compare_and_swap(word, before, after);
		if (seen == before)
			return kd_turns(after);
	}
	return kd_turns(seen);
}
