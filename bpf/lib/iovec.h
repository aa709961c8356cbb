/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
#pragma once

#include <linux/types.h>

#include "bpf/lib/inline.h"

/* How many bytes to take from a buffer of `length` when `done` of the `wanted` ones are already there. */
static __always_inline __u32 kd_take(__u64 length, __u32 done, __u32 wanted)
{
	__u32 left = done < wanted ? wanted - done : 0;

	return length < left ? (__u32)length : left;
}
