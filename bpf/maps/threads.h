/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
#pragma once

#include "bpf/lib/messages.h"

struct kd_thread {
	struct kd_message_cursor cursor;
	/* A datagram was received whose sender's address the kernel had yet to write at `peer_address`. */
	__u64 peer_address;
	__u64 peer_conn; /* 0: none */
	__u64 peer_position;
};

/* Key: the thread. Made only by sendmmsg, recvmmsg and unconnected UDP; freed with the thread. */
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct kd_thread);
} kd_threads SEC(".maps");
