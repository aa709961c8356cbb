/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
#pragma once

#include <linux/types.h>

/*
 * The kernel types in use, with only the fields in use. Offsets are not taken from here: each access
 * is relocated against the running kernel's BTF when the programs are loaded.
 */
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct ns_common {
	unsigned int inum;
};

struct net {
	struct ns_common ns;
};

typedef struct {
	struct net *net;
} possible_net_t;

struct in6_addr {
	union {
		__u8 u6_addr8[16];
	} in6_u;
};

struct sock_common {
	__be32 skc_daddr;
	__be32 skc_rcv_saddr;
	__be16 skc_dport;
	__u16 skc_num;
	unsigned short skc_family;
	volatile unsigned char skc_state;
	possible_net_t skc_net;
	unsigned long skc_flags;
	struct in6_addr skc_v6_daddr;
	struct in6_addr skc_v6_rcv_saddr;
};

struct socket;

typedef struct {
	int counter;
} atomic_t;

/* Of UDP, from 6.18 on: two counters in place of sk_drops. */
struct numa_drop_counters {
	atomic_t drops0;
	atomic_t drops1;
};

struct sock {
	struct sock_common __sk_common;
	int sk_err;
	struct socket *sk_socket;
	__u16 sk_protocol;
	__u16 sk_type;
	atomic_t sk_drops;
	struct numa_drop_counters *sk_drop_counters;
	__u32 sk_ack_backlog;
	__u32 sk_max_ack_backlog;
};

struct inet_sock {
	__be16 inet_sport;
};

struct inet_connection_sock {
	__u32 icsk_delack_max;
	__u8 icsk_ca_state : 5;
};

struct minmax_sample {
	__u32 t;
	__u32 v;
};

struct minmax {
	struct minmax_sample s[3];
};

struct tcp_sock {
	__u32 write_seq;
	__u32 copied_seq;
	__u64 bytes_sent;
	__u64 bytes_retrans;
	__u64 bytes_received;
	__u32 data_segs_out;
	__u32 data_segs_in;
	__u32 total_retrans;
	__u32 lost;
	__u32 rcv_ooopack;
	__u32 srtt_us;
	struct minmax rtt_min;
	__u32 snd_wnd;
	__u32 chrono_start;
	__u32 chrono_stat[3];
	__u8 chrono_type : 2;
};

struct net_device {
	possible_net_t nd_net;
	char name[16];
	int ifindex;
	unsigned int flags;
	unsigned long priv_flags : 32;
};

struct dst_entry {
	struct net_device *dev;
};

struct sk_buff {
	struct net_device *dev;
	struct sock *sk;
	char cb[48];
	unsigned long _skb_refdst;
	unsigned long _nfct;
	unsigned int len;
	unsigned int data_len;
	__be16 protocol;
	__u16 network_header;
	int skb_iif;
	__u32 mark;
	unsigned int tail; /* an offset from head, as on every 64-bit kernel */
	unsigned char *head;
	unsigned char *data;
};

union nf_inet_addr {
	__u32 all[4];
};

union nf_conntrack_man_proto {
	__be16 all;
};

struct nf_conntrack_man {
	union nf_inet_addr u3;
	union nf_conntrack_man_proto u;
	__u16 l3num;
};

struct nf_conntrack_tuple {
	struct nf_conntrack_man src;
	struct {
		union nf_inet_addr u3;
		union {
			__be16 all;
		} u;
		__u8 protonum;
	} dst;
};

struct nf_conntrack_tuple_hash {
	struct nf_conntrack_tuple tuple;
};

struct nf_conn {
	struct nf_conntrack_tuple_hash tuplehash[2]; /* as it began, and as it is answered */
};

struct Qdisc_ops {
	char id[16];
};

struct Qdisc {
	const struct Qdisc_ops *ops;
};

struct netdev_queue;

struct tcp_skb_cb {
	__u16 tcp_gso_segs;
};

struct request_sock;

struct inode {
	unsigned short i_mode;
	unsigned long i_ino;
};

struct file {
	struct inode *f_inode;
	void *private_data;
};

struct socket {
	struct file *file;
	struct sock *sk;
};

struct socket_alloc {
	struct socket socket;
	struct inode vfs_inode;
};

struct sockaddr_un {
	unsigned short sun_family;
	char sun_path[108];
};

struct unix_address {
	int len;
	struct sockaddr_un name[0];
};

struct unix_sock {
	struct sock sk;
	struct unix_address *addr;
	struct sock *peer;
};

struct fdtable {
	unsigned int max_fds;
	struct file **fd;
};

struct files_struct {
	struct fdtable *fdt;
};

struct nsproxy {
	struct net *net_ns;
};

struct kernfs_node {
	__u64 id;
};

struct cgroup_subsys_state {
	struct cgroup_subsys_state *parent;
};

struct cgroup {
	struct cgroup_subsys_state self; /* first, so that a pointer to either is one to both */
	struct kernfs_node *kn;
};

struct css_set {
	struct cgroup *dfl_cgrp;
};

struct signal_struct {
	atomic_t live;
	int group_exit_code;
	unsigned int flags;
};

struct task_struct {
	unsigned int flags;
	int exit_code;
	int pid;
	int tgid;
	struct task_struct *real_parent;
	struct task_struct *group_leader;
	__u64 start_boottime;
	char comm[16];
	struct files_struct *files;
	struct nsproxy *nsproxy;
	struct css_set *cgroups;
	struct signal_struct *signal;
};

/* x86-64 */
struct pt_regs {
	unsigned long r10;
	unsigned long r8;
	unsigned long ax;
	unsigned long dx;
	unsigned long si;
	unsigned long di;
	unsigned long orig_ax;
	__u16 cs;
};

struct linux_binprm;
struct seq_file;
struct bpf_map;

struct bpf_iter_meta {
	struct seq_file *seq;
};

struct bpf_iter__task_file {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	__u32 fd;
	struct file *file;
};

struct bpf_iter__bpf_sk_storage_map {
	struct bpf_iter_meta *meta;
	struct bpf_map *map;
	struct sock *sk;
	void *value;
};

struct bpf_iter__bpf_map_elem {
	struct bpf_iter_meta *meta;
	struct bpf_map *map;
	void *key;
	void *value;
};

#pragma clang attribute pop

/* Constants of the kernel's stable interface. */
#define AF_UNIX		  1
#define AF_INET		  2
#define AF_INET6	  10
#define SOCK_STREAM	  1
#define SOCK_DGRAM	  2
#define SOCK_SEQPACKET	  5
#define IPPROTO_TCP	  6
#define IPPROTO_UDP	  17
#define TCP_ESTABLISHED	  1
#define TCP_SYN_SENT	  2
#define TCP_SYN_RECV	  3
#define TCP_CLOSE	  7
#define TCP_CLOSE_WAIT	  8
#define TCP_LISTEN	  10
#define TCP_CA_Recovery	  3
#define TCP_CA_Loss	  4
#define SOCK_DONE	  1 /* bit of skc_flags: the peer's FIN came */
#define IFF_LOOPBACK	  0x8
#define IFF_BRIDGE_PORT	  0x200 /* of priv_flags */
#define NFCT_INFOMASK	  7UL /* of _nfct: enum ip_conntrack_info */
#define IP_CT_IS_REPLY	  3
#define SKB_DST_NOREF	  1UL /* in the low bits of _skb_refdst */
#define MSG_PEEK	  0x02
#define MSG_TRUNC	  0x20
#define MSG_ERRQUEUE	  0x2000
#define EPIPE		  32
#define ECONNRESET	  104
#define ECANCELED	  125
#define S_IFMT		  0170000
#define S_IFSOCK	  0140000
#define USER_CS64	  0x33 /* __USER_CS: a 64-bit caller */
#define PF_IO_WORKER	  0x00000010
#define PF_USER_WORKER	  0x00004000
#define PF_KTHREAD	  0x00200000
#define SIGNAL_GROUP_EXIT 0x00000004
