// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* Sockets and processes in scope: who connects to whom, and what they say. See README.md. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>

#include "bpf/kernel/types.h"

#include "bpf/common/call.bpf.h"
#include "bpf/common/conn.bpf.h"
#include "bpf/common/data.bpf.h"
#include "bpf/common/tcp.bpf.h"

char kd_license[] SEC("license") = "GPL";

/* ---- data, path A: socket tracepoints ---- */

static __always_inline int kd_socket_call(struct sock *sk, int ret, int flags, __u8 direction)
{
	struct kd_conn *c = kd_find(sk);
	struct task_struct *task;

	if (!c) {
		if (ret <= 0 || flags & (MSG_PEEK | MSG_ERRQUEUE))
			return 0;
		/* A stranger's call ends here: plain loads of a typed pointer cost next to nothing. */
		if (!kd_netns_in_scope(sk->__sk_common.skc_net.net->ns.inum) &&
		    !kd_current_in_scope())
			return 0;
		c = kd_first_call(sk, 0, direction);
		if (!c)
			return 0;
	}
	task = bpf_get_current_task_btf();
	if (flags & (MSG_PEEK | MSG_ERRQUEUE) || task->flags & PF_KTHREAD ||
	    (__u32)task->tgid == kd_self_tgid)
		return 0;
	if (ret <= 0)
		return kd_failed_call(c, task);
	if ((c->flags & (KD_CONN_OPENED | KD_CONN_LISTENER | KD_CONN_UNDECIDED)) !=
		    KD_CONN_OPENED &&
	    !kd_open_late(c, sk))
		return 0;
	return kd_typed_call(c, sk, task, ret, flags, direction);
}

SEC("tp_btf/sock_send_length")
int BPF_PROG(kd_sock_send_length, struct sock *sk, int ret, int flags)
{
	return kd_socket_call(sk, ret, 0, KD_SENT);
}

SEC("tp_btf/sock_recv_length")
int BPF_PROG(kd_sock_recv_length, struct sock *sk, int ret, int flags)
{
	return kd_socket_call(sk, ret, flags, KD_RECEIVED);
}

/* ---- data, path B: the exit of every system call ---- */

SEC("tp_btf/sys_exit")
int BPF_PROG(kd_sys_exit, struct pt_regs *regs, long ret)
{
	__u64 nr = regs->orig_ax;

	if (!kd_is_data_call(nr) || ret <= 0 || regs->cs != USER_CS64)
		return 0;
	return kd_finished_call(regs, nr, ret);
}

/* ---- connections ---- */

static __always_inline int kd_connecting(struct sock *sk)
{
	__u32 netns = kd_netns_of(sk);
	struct kd_conn *c = kd_find(sk);

	if (c && c->flags & KD_CONN_OPENED) { /* the socket is used again */
		kd_announce_tcp_end(c, sk);
		kd_announce_end(c);
	} else if (c && c->flags & KD_CONN_LISTENER) {
		kd_announce_listener_end(c, sk);
	}
	if (kd_current_is_self() || !(kd_netns_in_scope(netns) || kd_current_in_scope()))
		return 0;
	if (!c)
		c = kd_make(sk);
	if (!c)
		return 0;
	kd_start_conn(c, KD_TRANSPORT_TCP, netns, 1);
	c->side = KD_SIDE_CLIENT;
	c->flags = KD_CONN_CONNECTING;
	c->tcp.counted_before = kd_socket_retransmits(sk);
	return 0;
}

static __always_inline int kd_connected(struct sock *sk)
{
	struct kd_conn *c = kd_find(sk);
	__u64 duration;

	if (!c || !(c->flags & KD_CONN_CONNECTING))
		return 0;
	duration = bpf_ktime_get_boot_ns() - c->started_ns;
	c->flags &= ~KD_CONN_CONNECTING;
	if (!(c->flags & KD_CONN_OPENED))
		kd_announce(c, sk, KD_ORIGIN_CONNECT, duration);
	return 0;
}

static __always_inline int kd_connect_failed(struct sock *sk)
{
	struct kd_conn *c = kd_find(sk);
	struct kd_connect_failed *failed;

	if (!c || !(c->flags & KD_CONN_CONNECTING))
		return 0;
	c->flags &= ~KD_CONN_CONNECTING;
	if (c->flags & KD_CONN_OPENED)
		return 0; /* it carried data with the SYN: ends as a connection does */
	failed = bpf_ringbuf_reserve(&kd_control_ring, sizeof(*failed), 0);
	if (!failed) {
		kd_count(control_events, 1);
		return 0;
	}
	__builtin_memset(failed, 0, sizeof(*failed));
	failed->control.type = KD_CONTROL_CONNECT_FAILED;
	failed->control.size = sizeof(*failed);
	failed->boot_ns = bpf_ktime_get_boot_ns();
	failed->duration_ns = failed->boot_ns - c->started_ns;
	failed->netns = c->netns;
	failed->tgid = c->tgid;
	failed->error = BPF_CORE_READ(sk, sk_err);
	if (!failed->error)
		failed->error = ECANCELED; /* the caller gave up */
	failed->syn_retransmits = kd_retransmits(c, kd_socket_retransmits(sk));
	failed->resets_received = c->tcp.resets_received;
	kd_read_endpoints(&failed->ends, sk);
	bpf_ringbuf_submit(failed, BPF_RB_NO_WAKEUP);
	return 0;
}

/* Runs in whatever context the handshake ended: the current task means nothing. */
static __always_inline int kd_accepted(struct sock *sk)
{
	struct kd_conn *c = kd_find(sk); /* a copy of the listener's */
	__u32 netns = kd_netns_of(sk);
	int in_scope = c || kd_netns_in_scope(netns);

	if (c && c->flags & KD_CONN_OPENED)
		return 0;
	if (!in_scope && !(kd_by_address && (kd_scope_by_tgid || kd_scope_cgroup_count)))
		return 0;
	if (!c)
		c = kd_make(sk);
	if (!c)
		return 0;
	kd_start_conn(c, KD_TRANSPORT_TCP, netns, 0);
	c->side = KD_SIDE_SERVER;
	/* The SYN-ACKs that were sent again are the listener's. */
	if (kd_sees_synacks)
		c->tcp.counted_before = kd_socket_retransmits(sk);
	if (in_scope)
		kd_announce(c, sk, KD_ORIGIN_ACCEPT, 0);
	else
		c->flags = KD_CONN_UNDECIDED;
	return 0;
}

static __always_inline int kd_listening(struct sock *sk)
{
	__u32 netns = kd_netns_of(sk);
	struct kd_conn *c;

	if (kd_current_is_self() || !(kd_netns_in_scope(netns) || kd_current_in_scope()))
		return 0;
	c = kd_make(sk);
	if (!c)
		return 0;
	if (c->flags & KD_CONN_LISTENER) /* it listens again */
		kd_announce_listener_end(c, sk);
	kd_start_conn(c, KD_TRANSPORT_TCP, netns, 1);
	c->flags = KD_CONN_LISTENER;
	c->tcp.counted_before = kd_socket_drops(sk);
	kd_announce_listen(sk, KD_TRANSPORT_TCP, netns, c->tgid);
	return 0;
}

static __always_inline int kd_closing(struct sock *sk, int before)
{
	struct kd_conn *c = kd_find(sk);

	if (c)
		kd_note_tcp_end(c, sk, before);
	return 0;
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(kd_inet_sock_set_state, struct sock *sk, int before, int after)
{
	if (sk->sk_protocol != IPPROTO_TCP)
		return 0;
	if (after == TCP_CLOSE && before != TCP_SYN_SENT)
		return kd_closing(sk, before);
	if (after == TCP_SYN_SENT)
		return kd_connecting(sk);
	if (after == TCP_LISTEN)
		return kd_listening(sk);
	if (before == TCP_SYN_SENT)
		return after == TCP_ESTABLISHED ? kd_connected(sk)
		       : after == TCP_CLOSE	? kd_connect_failed(sk)
						: 0;
	if (before == TCP_SYN_RECV && after == TCP_ESTABLISHED)
		return kd_accepted(sk);
	return 0;
}

SEC("tp_btf/tcp_destroy_sock")
int BPF_PROG(kd_tcp_destroy_sock, struct sock *sk)
{
	struct kd_conn *c = kd_find(sk);

	if (!c)
		return 0;
	if (kd_is_untold(c))
		kd_announce(c, sk, kd_late_origin(c), 0);
	if (c->flags & KD_CONN_OPENED) {
		kd_announce_tcp_end(c, sk);
		kd_announce_end(c);
	} else if (c->flags & KD_CONN_LISTENER && c->tcp.end_state == TCP_LISTEN) {
		/* Not a child that nobody accepted: that has a copy of the listener's entry. */
		kd_announce_listener_end(c, sk);
	}
	kd_forget(sk);
	return 0;
}

/* ---- processes ---- */

static __always_inline int kd_task_event(struct task_struct *task, __u32 kind, __s32 wait_status,
					 __u32 parent_tgid)
{
	struct kd_task_event *event = bpf_ringbuf_reserve(&kd_control_ring, sizeof(*event), 0);

	if (!event) {
		kd_count(control_events, 1);
		return 0;
	}
	event->control.type = KD_CONTROL_TASK;
	event->control.size = sizeof(*event);
	event->boot_ns = bpf_ktime_get_boot_ns();
	event->start_boot_ns = BPF_CORE_READ(task, group_leader, start_boottime);
	event->tgid = task->tgid;
	event->parent_tgid = parent_tgid ?: BPF_CORE_READ(task, real_parent, tgid);
	event->wait_status = wait_status;
	event->kind = kind;
	BPF_CORE_READ_STR_INTO(&event->comm, task, comm);
	bpf_ringbuf_submit(event, BPF_RB_NO_WAKEUP);
	return 0;
}

/* Is the task, which is the current one or its new child, in scope? */
static __always_inline int kd_task_in_scope(struct task_struct *task)
{
	struct nsproxy *spaces = BPF_CORE_READ(task, nsproxy);

	if (spaces && kd_netns_in_scope(BPF_CORE_READ(spaces, net_ns, ns.inum)))
		return 1;
	return kd_current_in_scope();
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(kd_process_fork, struct task_struct *parent, struct task_struct *child)
{
	__u32 parent_tgid = parent->tgid, tgid = child->tgid;
	__u8 one = 1;

	if (tgid == parent_tgid)
		return 0; /* a thread */
	if (kd_scope_by_tgid && bpf_map_lookup_elem(&kd_scope_tgids, &parent_tgid) &&
	    bpf_map_update_elem(&kd_scope_tgids, &tgid, &one, BPF_ANY))
		kd_count(map_full, 1);
	return kd_task_in_scope(child) ? kd_task_event(child, KD_TASK_FORK, 0, parent_tgid) : 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(kd_process_exec, struct task_struct *task)
{
	return kd_task_in_scope(task) ? kd_task_event(task, KD_TASK_EXEC, 0, 0) : 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(kd_process_exit, struct task_struct *task)
{
	__u32 tgid = task->tgid;
	int status;

	if (BPF_CORE_READ(task, signal, live.counter) > 0)
		return 0; /* other threads live on */
	if (kd_task_in_scope(task)) {
		status = BPF_CORE_READ(task, signal, flags) & SIGNAL_GROUP_EXIT
				 ? BPF_CORE_READ(task, signal, group_exit_code)
				 : task->exit_code;
		kd_task_event(task, KD_TASK_EXIT, status, 0);
	}
	if (kd_scope_by_tgid)
		bpf_map_delete_elem(&kd_scope_tgids, &tgid);
	return 0;
}

struct kd_mark_victim {
	__u64 common;
	__u32 pid;
};

/*
 * The victim is not the current task, so its scope is not asked for: user space knows whether it follows
 * the process. A rare event.
 */
SEC("tp/oom/mark_victim")
int kd_oom_kill(struct kd_mark_victim *args)
{
	struct kd_task_event *event = bpf_ringbuf_reserve(&kd_control_ring, sizeof(*event), 0);

	if (!event) {
		kd_count(control_events, 1);
		return 0;
	}
	__builtin_memset(event, 0, sizeof(*event));
	event->control.type = KD_CONTROL_TASK;
	event->control.size = sizeof(*event);
	event->boot_ns = bpf_ktime_get_boot_ns();
	event->tgid = args->pid;
	event->kind = KD_TASK_OOM_KILL;
	bpf_ringbuf_submit(event, BPF_RB_NO_WAKEUP);
	return 0;
}

/* ---- what is there already ---- */

__u32 kd_found_tgid; /* the process whose files are being met */

/* A process that runs already is told once, before its sockets. */
static __always_inline void kd_found_process(struct seq_file *seq, struct task_struct *task)
{
	struct kd_task_event found = {};
	struct nsproxy *spaces = BPF_CORE_READ(task, nsproxy);
	__u32 tgid = task->tgid;

	if (tgid == kd_found_tgid || tgid == kd_self_tgid)
		return;
	if (!(spaces && kd_netns_in_scope(BPF_CORE_READ(spaces, net_ns, ns.inum))) &&
	    !kd_scope_host && !kd_found_task_in_scope(task))
		return;
	found.control.type = KD_CONTROL_TASK;
	found.control.size = sizeof(found);
	found.boot_ns = bpf_ktime_get_boot_ns();
	found.start_boot_ns = BPF_CORE_READ(task, group_leader, start_boottime);
	found.tgid = tgid;
	found.parent_tgid = BPF_CORE_READ(task, real_parent, tgid);
	found.kind = KD_TASK_FOUND;
	BPF_CORE_READ_STR_INTO(&found.comm, task, comm);
	if (!bpf_seq_write(seq, &found, sizeof(found)))
		kd_found_tgid = tgid;
}

/*
 * Processes that run and sockets that are open before the programs were attached. A record that does not fit the reader's buffer is asked
 * for again, so a connection counts as announced only once its record is written.
 */
SEC("iter/task_file")
int kd_find_sockets(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct seq_file *seq = ctx->meta->seq;
	struct kd_found found = {};
	struct socket *socket;
	struct kd_conn *c;
	struct sock *sk;
	__u8 transport, state;
	__u32 netns, tgid;

	if (!task || !file)
		return 0;
	kd_found_process(seq, task);
	socket = bpf_sock_from_file(file);
	if (!socket)
		return 0;
	sk = socket->sk;
	if (!sk)
		return 0;
	tgid = task->tgid;
	transport = kd_transport_of(sk);
	if (!transport || tgid == kd_self_tgid)
		return 0;
	netns = kd_netns_of(sk);
	if (!kd_netns_in_scope(netns) && !kd_found_task_in_scope(task))
		return 0;
	state = BPF_CORE_READ(sk, __sk_common.skc_state);
	c = kd_find(sk);
	if (state == TCP_LISTEN && transport != KD_TRANSPORT_UDP) {
		found.listen.control.size = sizeof(found.listen);
		kd_fill_listen(&found.listen, sk, transport, netns, tgid);
		if (!c && transport == KD_TRANSPORT_TCP) {
			c = kd_make(sk);
			if (c) {
				kd_start_conn(c, transport, netns, 0);
				c->tgid = tgid;
				c->flags = KD_CONN_LISTENER;
				c->tcp.counted_before = kd_socket_drops(sk);
			}
		}
		bpf_seq_write(seq, &found.listen, sizeof(found.listen));
		return 0;
	}
	if (c && c->flags & (KD_CONN_OPENED | KD_CONN_CONNECTING))
		return 0;
	if (transport == KD_TRANSPORT_TCP && (state == TCP_CLOSE || state == TCP_SYN_SENT))
		return 0;
	if (transport == KD_TRANSPORT_UNIX && state != TCP_ESTABLISHED)
		return 0;
	if (transport == KD_TRANSPORT_UDP && !BPF_CORE_READ(sk, __sk_common.skc_num))
		return 0;
	if (!c) {
		c = kd_make(sk);
		if (!c)
			return 0;
		kd_start_conn(c, transport, netns, 0);
		c->tgid = tgid;
		if (transport == KD_TRANSPORT_UDP)
			c->tcp.counted_before = kd_socket_drops(sk);
	}
	kd_fill_open(&found.open, c, sk, c->turns ? kd_late_origin(c) : KD_ORIGIN_FOUND);
	if (!bpf_seq_write(seq, &found.open, sizeof(found.open)))
		c->flags |= KD_CONN_OPENED;
	return 0;
}

/* A connection whose announcement was lost is announced first, so that it is not unknown until its next call. */
static __always_inline long kd_write_counters(struct seq_file *seq, struct kd_conn *c,
					      const struct sock *sk, __u8 closed)
{
	struct kd_counters counters = {};

	if (!closed && kd_is_untold(c))
		kd_announce(c, sk, kd_late_origin(c), 0);
	if (!(c->flags & KD_CONN_OPENED))
		return 0;
	counters.conn = c->id;
	counters.sent_bytes = c->sent_bytes;
	counters.received_bytes = c->received_bytes;
	counters.turns = kd_turns(c->turns);
	counters.transport = c->transport;
	counters.closed = closed;
	return bpf_seq_write(seq, &counters, sizeof(counters));
}

SEC("iter/bpf_sk_storage_map")
int kd_sweep(struct bpf_iter__bpf_sk_storage_map *ctx)
{
	struct kd_conn *c = ctx->value;
	const struct sock *sk = ctx->sk;

	if (c && sk)
		kd_write_counters(ctx->meta->seq, c, sk, 0);
	return 0;
}

/* Also drops what has become of UDP and unix sockets, whose end no hook reports. */
SEC("iter/bpf_map_elem")
int kd_sweep_by_address(struct bpf_iter__bpf_map_elem *ctx)
{
	struct kd_conn_by_address *entry = ctx->value;
	const __u64 *key = ctx->key;
	__u64 address;
	__u8 closed;

	if (!entry || !key)
		return 0;
	address = *key;
	closed = entry->conn.transport != KD_TRANSPORT_TCP && entry->inode &&
		 entry->inode != kd_socket_inode((const struct sock *)address);
	/* A record that did not fit is asked for again: only then must the entry still be there. */
	if (!kd_write_counters(ctx->meta->seq, &entry->conn, (const struct sock *)address,
			       closed) &&
	    closed)
		bpf_map_delete_elem(&kd_conns_by_address, &address);
	return 0;
}

#include "bpf/tcp.bpf.h"
#include "bpf/drops.bpf.h"
