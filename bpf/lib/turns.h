/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
#pragma once

#include <linux/types.h>

#include "bpf/lib/inline.h"

/*
 * Counts how often a connection's direction changed: 1 from the first byte on. `*last` is the direction
 * of the call before (0: none). Returns the count with this call included.
 */
static __always_inline __u32 kd_count_turn(__u32 *turns, __u8 *last, __u8 direction)
{
	if (*last != direction) {
		*last = direction;
		*turns += 1;
	}
	return *turns;
}
