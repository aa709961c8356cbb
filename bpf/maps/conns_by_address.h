/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
#pragma once

#include "bpf/maps/conns.h"

struct kd_conn_by_address {
	struct kd_conn conn;
	__u64 inode; /* 0: not set yet. Tells a reused address apart where no hook sees the end of a socket */
};

/*
 * The same state for the sys_exit path, which has no pointer that socket storage would accept.
 * Key: kernel address of the socket. Entries of TCP are deleted when the socket is destroyed, others by
 * the sweep. Size is set before loading (connections followed at once); a full map is counted in
 * kd_loss.map_full and that connection is not followed.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, __u64);
	__type(value, struct kd_conn_by_address);
} kd_conns_by_address SEC(".maps");
