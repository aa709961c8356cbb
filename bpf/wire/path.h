/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
#pragma once

#include <linux/types.h>

/* Records of the ring of bpf/path.bpf.c: one packet of the flow asked for, at one place in the kernel. */

/* Places. Numbers are those of agent/path/hop.h. */
#define KD_PATH_QUEUED	     1 /* handed to a device: before its queue discipline */
#define KD_PATH_QDISC_IN     2 /* into the queue discipline */
#define KD_PATH_QDISC_OUT    3 /* out of it */
#define KD_PATH_TRANSMIT     4 /* given to the driver */
#define KD_PATH_GRO	     5 /* from the driver, before segments are joined */
#define KD_PATH_BACKLOG	     6 /* into the queue of packets received */
#define KD_PATH_RECEIVED     7 /* into the network stack: before bridges, netfilter and routing */
#define KD_PATH_SOCKET	     8 /* at an established TCP socket */
#define KD_PATH_READ	     9 /* copied to a process that reads */
#define KD_PATH_CONSUMED     10 /* its end, no fault */
#define KD_PATH_DROPPED	     11 /* its end, with a reason */
#define KD_PATH_ICMP	     12 /* answered with an ICMP error */
#define KD_PATH_RECEIVE_FULL 13 /* the socket's receive queue has no room */

#define KD_PATH_REPLY	  1 /* from the end that was asked for as `to` */
#define KD_PATH_FRAGMENT  2
#define KD_PATH_VXLAN	  4 /* `outer` and `vni` are set */
#define KD_PATH_OF_SOCKET 8 /* a socket of this host holds it */
#define KD_PATH_ROUTED	  16 /* a route was found, and it is ... */
#define KD_PATH_LOCAL	  32 /* ... to this host itself */
#define KD_PATH_BRIDGED	  64 /* the device is a port of a bridge */
#define KD_PATH_NEW	  128 /* the first that is told of this packet */

/* Addresses as IPv6 has them; IPv4 is ::ffff:a.b.c.d. Ports in the host's order. */
struct kd_tuple {
	__u8 source[16];
	__u8 destination[16];
	__u16 source_port;
	__u16 destination_port;
	__u8 protocol;
	__u8 pad[3];
};

struct kd_path_hop {
	__u64 boot_ns;
	__u64 packet; /* the same for one packet as long as the kernel hands it on */
	__u64 location; /* of a drop: the instruction */
	struct kd_tuple tuple;
	struct kd_tuple outer;
	__u32 netns;
	__u32 interface; /* its index in that namespace */
	__u32 sequence;
	__u32 payload_bytes;
	__u32 vni;
	__u32 mark;
	__u32 reason; /* of a drop: enum skb_drop_reason; of ICMP: type << 8 | code */
	__u32 tgid; /* of who reads */
	__u32 cpu;
	__u16 ip_id;
	__u8 place;
	__u8 flags;
	__u8 tcp_flags;
	__u8 pad[3];
	__u32 received_by; /* interface that it came in by, of this namespace or the last one; 0: none */
	char device[16];
	char detail[16]; /* the queue discipline's kind, the name of who reads */
};

/* Which packets. Written before the programs run. */
#define KD_PATH_FROM 1
#define KD_PATH_TO   2

struct kd_path_address {
	__u8 address[16];
};

/* What was not told, in memory that user space maps. */
struct kd_path_loss {
	__u64 hops; /* the ring was full */
	__u64 packets; /* beyond the rate: passed over from beginning to end */
	__u64 unread; /* of a namespace in scope, headers not where they are read */
	__u64 pad[5];
};

#ifdef __cplusplus
static_assert(sizeof(struct kd_tuple) == 40, "kd_tuple");
static_assert(sizeof(struct kd_path_hop) == 184, "kd_path_hop");
static_assert(sizeof(struct kd_path_loss) == 64, "kd_path_loss");
#else
_Static_assert(sizeof(struct kd_tuple) == 40, "kd_tuple");
_Static_assert(sizeof(struct kd_path_hop) == 184, "kd_path_hop");
_Static_assert(sizeof(struct kd_path_loss) == 64, "kd_path_loss");
#endif
