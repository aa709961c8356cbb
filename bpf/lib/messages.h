/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
#pragma once

#include <linux/types.h>

#include "bpf/lib/inline.h"

/*
 * Which message of a sendmmsg or recvmmsg call is being moved. The socket hooks fire once a message and do
 * not say which, so the thread's last one is remembered. The kernel writes msg_len of a message before
 * it goes on to the next: that tells "next message of the same call" from "first message of the next".
 */
#define KD_MMSGHDR_BYTES     64 /* struct mmsghdr */
#define KD_MMSGHDR_LENGTH_AT 56 /* its msg_len */

struct kd_message_cursor {
	__u64 vector; /* user address of the mmsghdr array; 0: no call under way */
	__u32 next; /* message to expect */
	__u32 moved; /* bytes of the message before it */
};

/* `written` is msg_len, as the kernel wrote it, of message `cursor->next` - 1; 0 if it is not known. */
static __always_inline __u32 kd_message_index(const struct kd_message_cursor *cursor, __u64 vector,
					      __u64 vector_length, __u32 written)
{
	if (cursor->vector != vector || cursor->next == 0 || cursor->next >= vector_length)
		return 0;
	return written == cursor->moved ? cursor->next : 0;
}

static __always_inline void kd_message_moved(struct kd_message_cursor *cursor, __u64 vector,
					     __u32 index, __u32 bytes)
{
	cursor->vector = vector;
	cursor->next = index + 1;
	cursor->moved = bytes;
}
