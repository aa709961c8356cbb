/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
#pragma once

#include <linux/types.h>

/* Records of the control ring; the iterator over open files writes kd_conn_open, kd_listen and kd_task_event too. */

#define KD_CONTROL_OPEN		  1
#define KD_CONTROL_CLOSE	  2
#define KD_CONTROL_CONNECT_FAILED 3
#define KD_CONTROL_LISTEN	  4
#define KD_CONTROL_TASK		  5
#define KD_CONTROL_TCP		  6 /* wire/tcp.h */
#define KD_CONTROL_LISTENER	  7 /* wire/tcp.h */
#define KD_CONTROL_UDP		  8 /* wire/drops.h */

/* Same values as the enums of agent/capture/events.h and model/protocol.h. */
#define KD_ORIGIN_CONNECT    1
#define KD_ORIGIN_ACCEPT     2
#define KD_ORIGIN_FOUND	     3
#define KD_ORIGIN_FIRST_DATA 4

#define KD_TRANSPORT_TCP  1
#define KD_TRANSPORT_UDP  2
#define KD_TRANSPORT_UNIX 3

#define KD_SIDE_UNKNOWN 0
#define KD_SIDE_CLIENT	1
#define KD_SIDE_SERVER	2

#define KD_TASK_EXEC	 1
#define KD_TASK_EXIT	 2
#define KD_TASK_OOM_KILL 3
#define KD_TASK_FORK	 4
#define KD_TASK_FOUND	 5

#define KD_UNIX_PATH_BYTES 108

struct kd_control {
	__u32 type;
	__u32 size; /* of the whole record */
};

struct kd_endpoints {
	__u16 family; /* 0: none */
	__u16 local_port;
	__u16 remote_port;
	__u16 pad;
	__u8 local[16];
	__u8 remote[16];
};

struct kd_conn_open {
	struct kd_control control;
	__u64 conn;
	__u64 boot_ns;
	__u64 connect_duration_ns;
	__u64 unix_inode;
	__u64 unix_peer_inode;
	__u32 netns;
	__u32 tgid;
	__u32 tid;
	__u8 origin;
	__u8 transport;
	__u8 side;
	__u8 pad;
	struct kd_endpoints ends;
	__u32 unix_path_bytes;
	char unix_path[KD_UNIX_PATH_BYTES];
};

struct kd_conn_close {
	struct kd_control control;
	__u64 conn;
	__u64 boot_ns;
	__u64 sent_bytes;
	__u64 received_bytes;
	__u32 turns;
	__u32 pad;
};

struct kd_connect_failed {
	struct kd_control control;
	__u64 boot_ns;
	__u64 duration_ns;
	__u32 netns;
	__u32 tgid;
	__s32 error;
	__u16 syn_retransmits;
	__u8 resets_received;
	__u8 pad;
	struct kd_endpoints ends;
};

struct kd_listen {
	struct kd_control control;
	__u64 boot_ns;
	__u32 netns;
	__u32 tgid;
	__u32 transport;
	__u32 pad;
	struct kd_endpoints ends;
	__u32 unix_path_bytes;
	char unix_path[KD_UNIX_PATH_BYTES];
};

struct kd_task_event {
	struct kd_control control;
	__u64 boot_ns;
	__u64 start_boot_ns;
	__u32 tgid;
	__u32 parent_tgid;
	__s32 wait_status;
	__u32 kind;
	char comm[16];
};

#ifdef __cplusplus
#define KD_ASSERT static_assert
#else
#define KD_ASSERT _Static_assert
#endif
KD_ASSERT(sizeof(struct kd_control) == 8, "kd_control");
KD_ASSERT(sizeof(struct kd_endpoints) == 40, "kd_endpoints");
KD_ASSERT(sizeof(struct kd_conn_open) == 216, "kd_conn_open");
KD_ASSERT(sizeof(struct kd_conn_close) == 48, "kd_conn_close");
KD_ASSERT(sizeof(struct kd_connect_failed) == 80, "kd_connect_failed");
KD_ASSERT(sizeof(struct kd_listen) == 184, "kd_listen");
KD_ASSERT(sizeof(struct kd_task_event) == 56, "kd_task_event");
#undef KD_ASSERT
