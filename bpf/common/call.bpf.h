/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
#pragma once

#include "bpf/common/data.bpf.h"

/* A finished system call, from either data path, to the moves of bytes that it made. */

struct kd_found {
	union {
		struct kd_conn_open open;
		struct kd_listen listen;
	};
};

#define KD_CGROUP_DEPTH 32

/* As kd_current_in_scope(), for a task that an iterator meets. */
static __always_inline int kd_found_task_in_scope(struct task_struct *task)
{
	struct cgroup *cgroup;
	__u32 tgid = task->tgid;

	if (kd_scope_by_tgid && bpf_map_lookup_elem(&kd_scope_tgids, &tgid))
		return 1;
	if (!kd_scope_cgroup_count)
		return 0;
	cgroup = BPF_CORE_READ(task, cgroups, dfl_cgrp);
	for (__u32 i = 0; i < KD_CGROUP_DEPTH && cgroup; i++) {
		__u64 id = BPF_CORE_READ(cgroup, kn, id);

		if (bpf_map_lookup_elem(&kd_scope_cgroup_ids, &id))
			return 1;
		cgroup = (struct cgroup *)BPF_CORE_READ(cgroup, self.parent);
	}
	return 0;
}

/*
 * A socket not seen before carries data: followed from here on if it is in scope. `address` is the socket
 * where there is no typed pointer. A UDP socket that receives first is a server.
 */
static __always_inline struct kd_conn *kd_first_call(struct sock *typed, const struct sock *address,
						     __u8 direction)
{
	const struct sock *sk = typed ? typed : address;
	__u8 transport = kd_transport_of(sk);
	__u8 side = transport != KD_TRANSPORT_UDP ? KD_SIDE_UNKNOWN
		    : direction == KD_SENT	  ? KD_SIDE_CLIENT
						  : KD_SIDE_SERVER;
	struct kd_conn *c;
	__u32 netns;

	if (!transport || kd_current_is_self())
		return 0;
	netns = kd_netns_of(sk);
	if (!kd_netns_in_scope(netns) && !kd_current_in_scope())
		return 0;
	c = typed ? kd_make(typed) : kd_make_by_address(sk);
	if (!c)
		return 0;
	if (!kd_claim_conn(c, transport, side, netns))
		return c; /* another thread is at it; whoever is first announces it */
	/* What had dropped something before the agent came was found then. */
	if (transport == KD_TRANSPORT_UDP && !kd_finds_sockets)
		c->tcp.counted_before = kd_socket_drops(sk);
	if (c->side == KD_SIDE_SERVER)
		kd_announce_listen(sk, transport, netns, c->tgid);
	kd_announce(c, sk, KD_ORIGIN_FIRST_DATA, 0);
	return c;
}

/*
 * A call on a connection that user space does not know: its announcement found no room, or it was accepted
 * when its scope could not be known, or with its first data. False: leave it alone.
 */
static __noinline int kd_open_late(struct kd_conn *c, const struct sock *sk)
{
	__u64 pid_tgid = bpf_get_current_pid_tgid();

	if (c->flags & KD_CONN_UNDECIDED) {
		if (!kd_current_in_scope())
			return 0;
		c->flags &= ~KD_CONN_UNDECIDED;
		c->tgid = pid_tgid >> 32;
		c->tid = pid_tgid;
	}
	if (c->flags & KD_CONN_LISTENER) {
		kd_start_conn(c, KD_TRANSPORT_TCP, c->netns, 1);
		c->side = KD_SIDE_SERVER;
	}
	kd_announce(c, sk, kd_late_origin(c), 0);
	return 1;
}

/* ---- path A ---- */

/* Tells the peer of the thread's last datagram, which the kernel has written by now. */
static __noinline int kd_tell_peer(struct kd_thread *thread)
{
	struct {
		struct kd_data data;
		struct kd_peer peer;
	} late = {};

	if (!thread || !thread->peer_conn)
		return 0;
	late.data.conn = thread->peer_conn;
	late.data.position = thread->peer_position;
	late.data.flags = KD_DATA_PEER_OF | KD_DATA_HAS_PEER | KD_DATA_STREAMLESS;
	thread->peer_conn = 0;
	if (kd_read_peer(&late.peer, thread->peer_address) &&
	    bpf_ringbuf_output(&kd_data_ring, &late, sizeof(late), BPF_RB_NO_WAKEUP))
		kd_count(data_events, 1);
	return 0;
}

/* A failed call ends a run of messages, and comes after the datagram before it. */
static __always_inline int kd_failed_call(struct kd_conn *c, struct task_struct *task)
{
	struct kd_thread *thread;

	if (c->transport == KD_TRANSPORT_TCP &&
	    kd_shape_of(((struct pt_regs *)bpf_task_pt_regs(task))->orig_ax) != KD_SHAPE_MESSAGES)
		return 0;
	thread = bpf_task_storage_get(&kd_threads, task, 0, 0);
	if (!thread)
		return 0;
	thread->cursor.vector = 0;
	return kd_tell_peer(thread);
}

static __always_inline __u32 kd_next_message(struct kd_thread *thread, const struct pt_regs *regs,
					     __u32 bytes)
{
	__u64 vector = regs->si;
	__u32 index = thread->cursor.next, written = 0;

	if (index && thread->cursor.vector == vector)
		bpf_probe_read_user(&written, sizeof(written),
				    (void *)(vector + (__u64)(index - 1) * KD_MMSGHDR_BYTES +
					     KD_MMSGHDR_LENGTH_AT));
	index = kd_message_index(&thread->cursor, vector, regs->dx, written);
	kd_message_moved(&thread->cursor, vector, index, bytes);
	return index;
}

/* Finds the arguments of a 64-bit system call; `index` is the message meant in sendmmsg and recvmmsg. */
static __always_inline void kd_read_arguments(struct kd_move *move, const struct pt_regs *regs,
					      __u64 nr, __u32 index)
{
	move->shape = kd_shape_of(nr);
	move->arg = regs->si;
	move->count = regs->dx;
	if (nr == KD_NR_SENDTO || nr == KD_NR_RECVFROM)
		move->peer = regs->r8;
	else if (move->shape == KD_SHAPE_MESSAGE || move->shape == KD_SHAPE_MESSAGES)
		kd_read_message(move, move->arg + (__u64)index * KD_MMSGHDR_BYTES);
}

static __always_inline int kd_typed_call(struct kd_conn *c, struct sock *sk,
					 struct task_struct *task, int ret, int flags,
					 __u8 direction)
{
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);
	struct kd_move move = {.size = ret, .direction = direction};
	struct kd_thread *thread = 0;
	__u64 nr = regs->orig_ax;
	__u32 index = 0;

	if (c->transport == KD_TRANSPORT_TCP) {
		struct tcp_sock *tcp = bpf_skc_to_tcp_sock(sk);

		if (tcp)
			move.tcp_seq =
				(direction == KD_SENT ? tcp->write_seq : tcp->copied_seq) - ret;
	}
	if (c->flags & KD_CONN_UNCONNECTED || nr == KD_NR_SENDMMSG || nr == KD_NR_RECVMMSG) {
		thread = bpf_task_storage_get(&kd_threads, task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
		if (thread) {
			kd_tell_peer(thread);
			if (kd_shape_of(nr) == KD_SHAPE_MESSAGES)
				index = kd_next_message(thread, regs, ret);
		}
	}
	if (regs->cs != USER_CS64 || task->flags & (PF_IO_WORKER | PF_USER_WORKER) ||
	    (c->transport == KD_TRANSPORT_TCP && flags & MSG_TRUNC))
		move.shape = KD_SHAPE_OPAQUE;
	else
		kd_read_arguments(&move, regs, nr, index);
	if (c->flags & KD_CONN_UNCONNECTED && thread && move.peer && direction == KD_RECEIVED) {
		move.peer_later = 1;
		thread->peer_address = move.peer;
		thread->peer_conn = c->id;
		thread->peer_position = c->received_bytes;
	}
	kd_moved(c, &move);
	return 0;
}

/* ---- path B ---- */

/* The socket behind a descriptor of the current process; 0 if it is none. */
static __always_inline const struct sock *kd_socket_of(__u32 fd)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct files_struct *files = task->files;
	struct fdtable *table;
	struct file *file = 0;
	struct socket *socket;
	struct file **slots;

	if (!files)
		return 0;
	table = files->fdt;
	if (!table || fd >= table->max_fds)
		return 0;
	slots = table->fd;
	if (bpf_probe_read_kernel(&file, sizeof(file), slots + fd) || !file)
		return 0;
	if ((BPF_CORE_READ(file, f_inode, i_mode) & S_IFMT) != S_IFSOCK)
		return 0;
	socket = BPF_CORE_READ(file, private_data);
	return socket ? BPF_CORE_READ(socket, sk) : 0;
}

static __always_inline struct kd_conn *kd_conn_by_call(const struct sock *sk, __u8 direction)
{
	__u64 address = (__u64)sk;
	struct kd_conn_by_address *entry = bpf_map_lookup_elem(&kd_conns_by_address, &address);
	struct kd_conn *c = entry ? &entry->conn : 0;

	/* TCP's end is seen; of others the address may be another socket's by now. */
	if (entry && entry->conn.transport != KD_TRANSPORT_TCP &&
	    entry->inode != kd_socket_inode(sk)) {
		bpf_map_delete_elem(&kd_conns_by_address, &address);
		c = 0;
	}
	if (!c)
		c = kd_first_call(0, sk, direction);
	if (!c)
		return 0;
	if ((c->flags & (KD_CONN_OPENED | KD_CONN_LISTENER | KD_CONN_UNDECIDED)) !=
		    KD_CONN_OPENED &&
	    !kd_open_late(c, sk))
		return 0;
	return c;
}

static __always_inline int kd_one_move(const struct sock *sk, struct kd_move *move)
{
	struct kd_conn *c = kd_conn_by_call(sk, move->direction);

	if (!c || kd_current_is_self())
		return 0;
	if (c->transport == KD_TRANSPORT_TCP) {
		const struct tcp_sock *tcp = (const struct tcp_sock *)sk;

		move->tcp_seq = (move->direction == KD_SENT ? BPF_CORE_READ(tcp, write_seq)
							    : BPF_CORE_READ(tcp, copied_seq)) -
				move->size;
	}
	kd_moved(c, move);
	return 0;
}

/* Flags of a receive call, 0 if it has none. */
static __always_inline __u32 kd_receive_flags(const struct pt_regs *regs, __u64 nr)
{
	return nr == KD_NR_RECVFROM || nr == KD_NR_RECVMMSG ? regs->r10
	       : nr == KD_NR_RECVMSG			    ? regs->dx
							    : 0;
}

/* TCP throws away, unread, what is received with MSG_TRUNC. */
static __always_inline int kd_is_thrown_away(const struct sock *sk, __u32 flags)
{
	return flags & MSG_TRUNC && BPF_CORE_READ(sk, sk_protocol) == IPPROTO_TCP;
}

/*
 * One message of sendmsg, recvmsg and their plurals. A global function, so that the verifier looks at it
 * once and not for every message of a call.
 */
__noinline int kd_one_message(__u64 address, __u64 message, __u32 size, __u32 direction,
			      __u32 flags)
{
	const struct sock *sk = (const struct sock *)address;
	struct kd_move move = {.size = size, .direction = direction};

	if (kd_is_thrown_away(sk, flags))
		move.shape = KD_SHAPE_OPAQUE;
	else
		kd_read_message(&move, message);
	kd_one_move(sk, &move);
	return 0;
}

#define KD_MESSAGES_MAX 1024 /* the kernel's own limit */

static __always_inline int kd_finished_messages(const struct sock *sk, __u64 vector, long count,
						__u32 direction, __u32 flags)
{
	for (__u32 i = 0; i < KD_MESSAGES_MAX && i < count; i++) {
		__u64 message = vector + (__u64)i * KD_MMSGHDR_BYTES;
		__u32 size = 0;

		bpf_probe_read_user(&size, sizeof(size), (void *)(message + KD_MMSGHDR_LENGTH_AT));
		if (size)
			kd_one_message((__u64)sk, message, size, direction, flags);
	}
	return 0;
}

static __always_inline int kd_finished_splice(const struct pt_regs *regs, long ret)
{
	struct kd_move move = {.size = ret, .shape = KD_SHAPE_OPAQUE, .direction = KD_RECEIVED};
	const struct sock *sk = kd_socket_of(regs->di);

	if (sk)
		kd_one_move(sk, &move);
	move.direction = KD_SENT;
	sk = kd_socket_of(regs->dx);
	return sk ? kd_one_move(sk, &move) : 0;
}

static __always_inline int kd_finished_call(const struct pt_regs *regs, __u64 nr, long ret)
{
	struct kd_move move = {.size = ret, .arg = regs->si, .count = regs->dx};
	const struct sock *sk;
	__u32 flags;

	if (nr == KD_NR_SPLICE)
		return kd_finished_splice(regs, ret);
	sk = kd_socket_of(regs->di);
	flags = kd_receive_flags(regs, nr);
	if (!sk || flags & (MSG_PEEK | MSG_ERRQUEUE))
		return 0;
	move.direction = kd_is_receive(nr) ? KD_RECEIVED : KD_SENT;
	move.shape = kd_shape_of(nr);
	if (move.shape == KD_SHAPE_MESSAGES)
		return kd_finished_messages(sk, regs->si, ret, move.direction, flags);
	if (move.shape == KD_SHAPE_MESSAGE)
		return kd_one_message((__u64)sk, regs->si, ret, move.direction, flags);
	if (kd_is_thrown_away(sk, flags))
		move.shape = KD_SHAPE_OPAQUE;
	if (nr == KD_NR_SENDTO || nr == KD_NR_RECVFROM)
		move.peer = regs->r8;
	return kd_one_move(sk, &move);
}
