/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
#pragma once

#include "bpf/wire/counters.h"

#define KD_VERDICTS 65536 /* a power of two */

/*
 * Key: low bits of the connection id. Written by user space through mmap when it has no use for the
 * payload of a connection. An entry counts only for the id in it: of two connections that share a slot,
 * the one written first returns to full payload.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, KD_VERDICTS);
	__type(key, __u32);
	__type(value, struct kd_verdict);
} kd_payload_verdicts SEC(".maps");
