/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
#pragma once

#include "bpf/common/scope.bpf.h"
#include "bpf/lib/turns.h"
#include "bpf/maps/conns.h"
#include "bpf/maps/conns_by_address.h"
#include "bpf/maps/rings.h"
#include "bpf/wire/control.h"

static __always_inline __u64 kd_socket_inode(const struct sock *sk)
{
	struct socket_alloc *alloc = (struct socket_alloc *)BPF_CORE_READ(sk, sk_socket);

	return alloc ? BPF_CORE_READ(alloc, vfs_inode.i_ino) : 0;
}

static __always_inline __u32 kd_netns_of(const struct sock *sk)
{
	return BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
}

/* The transports that are followed; 0 for any other socket. */
static __always_inline __u8 kd_transport_of(const struct sock *sk)
{
	__u16 family = BPF_CORE_READ(sk, __sk_common.skc_family);
	__u16 type = BPF_CORE_READ(sk, sk_type);
	__u16 protocol = BPF_CORE_READ(sk, sk_protocol);

	if (family == AF_UNIX)
		return type == SOCK_STREAM || type == SOCK_SEQPACKET ? KD_TRANSPORT_UNIX : 0;
	if (family != AF_INET && family != AF_INET6)
		return 0;
	if (protocol == IPPROTO_TCP && type == SOCK_STREAM)
		return KD_TRANSPORT_TCP;
	return protocol == IPPROTO_UDP && type == SOCK_DGRAM ? KD_TRANSPORT_UDP : 0;
}

/* What the socket has thrown away. */
static __always_inline __u32 kd_socket_drops(const struct sock *sk)
{
	const struct numa_drop_counters *counters;

	if (bpf_core_field_exists(sk->sk_drop_counters)) {
		counters = BPF_CORE_READ(sk, sk_drop_counters);
		if (counters)
			return BPF_CORE_READ(counters, drops0.counter) +
			       BPF_CORE_READ(counters, drops1.counter);
	}
	return BPF_CORE_READ(sk, sk_drops.counter);
}

/* Fills the addresses of an inet socket. */
static __always_inline void kd_read_endpoints(struct kd_endpoints *ends, const struct sock *sk)
{
	ends->family = BPF_CORE_READ(sk, __sk_common.skc_family);
	ends->local_port = BPF_CORE_READ(sk, __sk_common.skc_num);
	if (!ends->local_port) /* given back when a TCP socket closes */
		ends->local_port =
			bpf_ntohs(BPF_CORE_READ((const struct inet_sock *)sk, inet_sport));
	ends->remote_port = bpf_ntohs(BPF_CORE_READ(sk, __sk_common.skc_dport));
	if (ends->family == AF_INET) {
		*(__u32 *)ends->local = BPF_CORE_READ(sk, __sk_common.skc_rcv_saddr);
		*(__u32 *)ends->remote = BPF_CORE_READ(sk, __sk_common.skc_daddr);
	} else {
		BPF_CORE_READ_INTO(&ends->local, sk, __sk_common.skc_v6_rcv_saddr.in6_u.u6_addr8);
		BPF_CORE_READ_INTO(&ends->remote, sk, __sk_common.skc_v6_daddr.in6_u.u6_addr8);
	}
}

/* Copies the name a unix socket is bound to; returns its length, 0 if it has none. */
static __always_inline __u32 kd_read_unix_path(char *path, const struct unix_sock *sk)
{
	struct unix_address *address = sk ? BPF_CORE_READ(sk, addr) : 0;
	__s64 length;

	if (!address)
		return 0;
	length = BPF_CORE_READ(address, len);
	length -= sizeof(unsigned short);
	if (length <= 0)
		return 0;
	if (length > KD_UNIX_PATH_BYTES)
		length = KD_UNIX_PATH_BYTES;
	bpf_probe_read_kernel(path, KD_UNIX_PATH_BYTES, &address->name[0].sun_path);
	return length;
}

/*
 * The record that announces `c`. Which side a unix socket is: accepted sockets share their listener's
 * name, clients are hardly ever bound.
 */
static __always_inline void kd_fill_open(struct kd_conn_open *open, struct kd_conn *c,
					 const struct sock *sk, __u8 origin)
{
	open->control.type = KD_CONTROL_OPEN;
	open->control.size = sizeof(*open);
	open->conn = c->id;
	open->boot_ns = bpf_ktime_get_boot_ns();
	open->netns = c->netns;
	open->tgid = c->tgid;
	open->tid = c->tid;
	open->origin = origin;
	open->transport = c->transport;
	if (c->transport == KD_TRANSPORT_UNIX) {
		const struct unix_sock *unix = (const struct unix_sock *)sk;
		const struct sock *peer = (const struct sock *)BPF_CORE_READ(unix, peer);

		open->unix_inode = kd_socket_inode(sk);
		if (peer)
			open->unix_peer_inode = kd_socket_inode(peer);
		open->unix_path_bytes = kd_read_unix_path(open->unix_path, unix);
		if (open->unix_path_bytes) {
			c->side = KD_SIDE_SERVER;
		} else {
			open->unix_path_bytes =
				kd_read_unix_path(open->unix_path, (const struct unix_sock *)peer);
			if (open->unix_path_bytes)
				c->side = KD_SIDE_CLIENT;
		}
	} else {
		kd_read_endpoints(&open->ends, sk);
		if (c->transport == KD_TRANSPORT_UDP && !open->ends.remote_port)
			c->flags |= KD_CONN_UNCONNECTED;
	}
	open->side = c->side;
}

/* Tells user space of `c`; a full ring leaves it for the connection's next call, a sweep or its end. */
static __noinline int kd_announce(struct kd_conn *c, const struct sock *sk, __u8 origin,
				  __u64 connect_duration_ns)
{
	struct kd_conn_open *open;

	if (!c)
		return 0;
	open = bpf_ringbuf_reserve(&kd_control_ring, sizeof(*open), 0);
	if (!open) {
		kd_count(control_events, 1);
		return 0;
	}
	__builtin_memset(open, 0, sizeof(*open));
	kd_fill_open(open, c, sk, origin);
	open->connect_duration_ns = connect_duration_ns;
	bpf_ringbuf_submit(open, BPF_RB_NO_WAKEUP);
	c->flags |= KD_CONN_OPENED;
	return 0;
}

static __always_inline void kd_announce_end(struct kd_conn *c)
{
	struct kd_conn_close *close = bpf_ringbuf_reserve(&kd_control_ring, sizeof(*close), 0);

	if (!close) {
		kd_count(control_events, 1);
		return;
	}
	close->control.type = KD_CONTROL_CLOSE;
	close->control.size = sizeof(*close);
	close->conn = c->id;
	close->boot_ns = bpf_ktime_get_boot_ns();
	close->sent_bytes = c->sent_bytes;
	close->received_bytes = c->received_bytes;
	close->turns = kd_turns(c->turns);
	close->pad = 0;
	bpf_ringbuf_submit(close, BPF_RB_NO_WAKEUP);
}

static __always_inline void kd_fill_listen(struct kd_listen *listen, const struct sock *sk,
					   __u8 transport, __u32 netns, __u32 tgid)
{
	listen->control.type = KD_CONTROL_LISTEN;
	listen->control.size = sizeof(*listen);
	listen->boot_ns = bpf_ktime_get_boot_ns();
	listen->netns = netns;
	listen->tgid = tgid;
	listen->transport = transport;
	if (transport == KD_TRANSPORT_UNIX)
		listen->unix_path_bytes =
			kd_read_unix_path(listen->unix_path, (const struct unix_sock *)sk);
	else
		kd_read_endpoints(&listen->ends, sk);
}

static __noinline int kd_announce_listen(const struct sock *sk, __u8 transport, __u32 netns,
					 __u32 tgid)
{
	struct kd_listen *listen = bpf_ringbuf_reserve(&kd_control_ring, sizeof(*listen), 0);

	if (!listen) {
		kd_count(control_events, 1);
		return 0;
	}
	__builtin_memset(listen, 0, sizeof(*listen));
	kd_fill_listen(listen, sk, transport, netns, tgid);
	bpf_ringbuf_submit(listen, BPF_RB_NO_WAKEUP);
	return 0;
}

/* A fresh state; the current task is taken as the user if it is the one that acts. */
static __always_inline void kd_start_conn(struct kd_conn *c, __u8 transport, __u32 netns,
					  int by_current)
{
	__u64 pid_tgid = by_current ? bpf_get_current_pid_tgid() : 0;

	__builtin_memset(c, 0, sizeof(*c));
	c->id = __sync_fetch_and_add(&kd_next_conn, 1);
	c->started_ns = bpf_ktime_get_boot_ns();
	c->transport = transport;
	c->netns = netns;
	c->tgid = pid_tgid >> 32;
	c->tid = pid_tgid;
}

/*
 * As kd_start_conn(), for a state that several threads may have found to be new at once: what they write is
 * the same, the id is the first one's. False: it was another's.
 */
static __always_inline int kd_claim_conn(struct kd_conn *c, __u8 transport, __u8 side, __u32 netns)
{
	__u64 pid_tgid = bpf_get_current_pid_tgid();
	__u64 id = __sync_fetch_and_add(&kd_next_conn, 1);

	c->started_ns = bpf_ktime_get_boot_ns();
	c->transport = transport;
	c->side = side;
	c->netns = netns;
	c->tgid = pid_tgid >> 32;
	c->tid = pid_tgid;
	return !__sync_val_compare_and_swap(&c->id, 0, id);
}

/* How a connection came about that was not announced when it did. */
static __always_inline __u8 kd_late_origin(const struct kd_conn *c)
{
	if (c->flags & KD_CONN_CONNECTING)
		return KD_ORIGIN_CONNECT;
	return c->side == KD_SIDE_SERVER ? KD_ORIGIN_ACCEPT : KD_ORIGIN_FIRST_DATA;
}

/* Was `c` in use without user space having been told? */
static __always_inline int kd_is_untold(const struct kd_conn *c)
{
	return c->turns && !(c->flags & (KD_CONN_OPENED | KD_CONN_LISTENER | KD_CONN_UNDECIDED));
}

static __always_inline struct kd_conn *kd_find_by_address(__u64 sk)
{
	struct kd_conn_by_address *entry = bpf_map_lookup_elem(&kd_conns_by_address, &sk);

	return entry ? &entry->conn : 0;
}

/* An entry before anything is known of it: too large for the stack of the programs that need one. */
const volatile __u64 kd_fresh_conn[sizeof(struct kd_conn_by_address) / sizeof(__u64)];

static __always_inline struct kd_conn *kd_make_by_address(const struct sock *sk)
{
	struct kd_conn_by_address *entry;
	__u64 address = (__u64)sk;

	bpf_map_update_elem(&kd_conns_by_address, &address, (const void *)&kd_fresh_conn,
			    BPF_NOEXIST);
	entry = bpf_map_lookup_elem(&kd_conns_by_address, &address);
	if (!entry) {
		kd_count(map_full, 1);
		return 0;
	}
	if (!entry->inode)
		entry->inode = kd_socket_inode(sk);
	return &entry->conn;
}

/* For a socket that a hook or an iterator gave us as such. */
static __always_inline struct kd_conn *kd_find(struct sock *sk)
{
	if (kd_by_address)
		return kd_find_by_address((__u64)sk);
	return bpf_sk_storage_get(&kd_conns, sk, 0, 0);
}

static __always_inline struct kd_conn *kd_make(struct sock *sk)
{
	struct kd_conn *c;

	if (kd_by_address)
		return kd_make_by_address(sk);
	c = bpf_sk_storage_get(&kd_conns, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
	if (!c)
		kd_count(map_full, 1);
	return c;
}

static __always_inline void kd_forget(struct sock *sk)
{
	if (kd_by_address) {
		__u64 address = (__u64)sk;

		bpf_map_delete_elem(&kd_conns_by_address, &address);
	} else {
		bpf_sk_storage_delete(&kd_conns, sk);
	}
}
