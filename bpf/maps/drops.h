/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
#pragma once

#include "bpf/wire/drops.h"

#define KD_DROPS	8192
#define KD_DROPS_BEYOND 512

/*
 * Key: what dropped packets have in common. Written by kd_kfree_skb; user space takes away what no longer grows. What
 * finds it full goes to kd_drops_beyond, whose keys have no addresses and ports.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, KD_DROPS);
	__type(key, struct kd_drop_key);
	__type(value, struct kd_drop_sum);
} kd_drops SEC(".maps");

/* A packet that finds this one full too is counted in kd_loss.map_full alone. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, KD_DROPS_BEYOND);
	__type(key, struct kd_drop_key);
	__type(value, struct kd_drop_sum);
} kd_drops_beyond SEC(".maps");
