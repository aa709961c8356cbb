/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
#pragma once

#include "bpf/wire/data.h"

#define KD_PAYLOAD_MAX 8192
#define KD_IOVECS      16

struct kd_iovec {
	__u64 base;
	__u64 length;
};

struct kd_scratch {
	struct kd_data data;
	/* Twice the cap: an offset below it plus a length below it stay inside. */
	__u8 payload[2 * KD_PAYLOAD_MAX + sizeof(struct kd_peer)];
	struct kd_iovec iovecs[KD_IOVECS];
};

/*
 * Where a data record is put together: too large for the stack. One per CPU; tracepoint programs run
 * with preemption off and those that use it run in task context only, so it has one user at a time.
 */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct kd_scratch);
} kd_scratch SEC(".maps");
