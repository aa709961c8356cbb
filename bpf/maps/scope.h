/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
#pragma once

/* Inode numbers of the network namespaces in scope. Written by user space before attaching. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 256);
	__type(key, __u32);
	__type(value, __u8);
} kd_scope_netns SEC(".maps");

/*
 * Processes in scope. Seeded by user space; kept by the fork and exit programs. A full map is counted in
 * kd_loss.map_full and the child is not followed.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, __u32);
	__type(value, __u8);
} kd_scope_tgids SEC(".maps");

#define KD_SCOPE_CGROUPS 16

/* Version 2 cgroups in scope; what is below them is too. Written by user space before attaching. */
struct {
	__uint(type, BPF_MAP_TYPE_CGROUP_ARRAY);
	__uint(max_entries, KD_SCOPE_CGROUPS);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
} kd_scope_cgroups SEC(".maps");

/* Their ids, for tasks that an iterator meets. Written by user space before attaching. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, KD_SCOPE_CGROUPS);
	__type(key, __u64);
	__type(value, __u8);
} kd_scope_cgroup_ids SEC(".maps");
