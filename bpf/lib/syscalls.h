/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
#pragma once

#include <linux/types.h>

#include "bpf/lib/inline.h"

/* System calls of x86-64 that move data over sockets, and where their arguments hold it. */

#define KD_NR_READ     0
#define KD_NR_WRITE    1
#define KD_NR_READV    19
#define KD_NR_WRITEV   20
#define KD_NR_SENDFILE 40
#define KD_NR_SENDTO   44
#define KD_NR_RECVFROM 45
#define KD_NR_SENDMSG  46
#define KD_NR_RECVMSG  47
#define KD_NR_SPLICE   275
#define KD_NR_RECVMMSG 299
#define KD_NR_SENDMMSG 307
#define KD_NR_PREADV2  327
#define KD_NR_PWRITEV2 328

/* Where a call's bytes are. */
enum kd_shape {
	KD_SHAPE_NONE = 0, /* not such a call */
	KD_SHAPE_OPAQUE, /* moves bytes that no argument points at */
	KD_SHAPE_BUFFER, /* argument 2 */
	KD_SHAPE_VECTOR, /* iovec array in argument 2, its length in argument 3 */
	KD_SHAPE_MESSAGE, /* msghdr in argument 2 */
	KD_SHAPE_MESSAGES, /* mmsghdr array in argument 2, its length in argument 3 */
};

static __always_inline enum kd_shape kd_shape_of(__u64 nr)
{
	switch (nr) {
	case KD_NR_READ:
	case KD_NR_WRITE:
	case KD_NR_SENDTO:
	case KD_NR_RECVFROM:
		return KD_SHAPE_BUFFER;
	case KD_NR_READV:
	case KD_NR_WRITEV:
	case KD_NR_PREADV2:
	case KD_NR_PWRITEV2:
		return KD_SHAPE_VECTOR;
	case KD_NR_SENDMSG:
	case KD_NR_RECVMSG:
		return KD_SHAPE_MESSAGE;
	case KD_NR_SENDMMSG:
	case KD_NR_RECVMMSG:
		return KD_SHAPE_MESSAGES;
	case KD_NR_SENDFILE:
	case KD_NR_SPLICE:
		return KD_SHAPE_OPAQUE;
	default:
		return KD_SHAPE_NONE;
	}
}

/* True for the numbers above. The first test of every system call's exit, so no more than two compares. */
static __always_inline int kd_is_data_call(__u64 nr)
{
	const __u64 low = 1ULL << KD_NR_READ | 1ULL << KD_NR_WRITE | 1ULL << KD_NR_READV |
			  1ULL << KD_NR_WRITEV | 1ULL << KD_NR_SENDFILE | 1ULL << KD_NR_SENDTO |
			  1ULL << KD_NR_RECVFROM | 1ULL << KD_NR_SENDMSG | 1ULL << KD_NR_RECVMSG;
	if (nr < 64)
		return low >> nr & 1;
	if (nr < KD_NR_SPLICE || nr > KD_NR_PWRITEV2)
		return 0;
	return kd_shape_of(nr) != KD_SHAPE_NONE;
}

static __always_inline int kd_is_receive(__u64 nr)
{
	return nr == KD_NR_READ || nr == KD_NR_READV || nr == KD_NR_RECVFROM ||
	       nr == KD_NR_RECVMSG || nr == KD_NR_RECVMMSG || nr == KD_NR_PREADV2;
}
