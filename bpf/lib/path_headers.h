/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
#pragma once

#include <linux/types.h>

#include "bpf/lib/inline.h"
#include "bpf/wire/path.h"

/*
 * Headers of a packet, from the network header on. Whoever includes this defines how bytes are read:
 * KD_HEADERS_READ(to, bytes, address), 0 where it worked.
 */

#define KD_ETHERTYPE_IP	  0x0800
#define KD_ETHERTYPE_IPV6 0x86dd
#define KD_ETHERTYPE_VLAN 0x8100
#define KD_ETHERTYPE_QINQ 0x88a8

#define KD_PROTO_ICMP	  1
#define KD_PROTO_TCP	  6
#define KD_PROTO_UDP	  17
#define KD_PROTO_ROUTING  43
#define KD_PROTO_FRAGMENT 44
#define KD_PROTO_ICMPV6	  58
#define KD_PROTO_OPTIONS  60

#define KD_VXLAN_PORT	    4789
#define KD_VXLAN_LINUX_PORT 8472
#define KD_IP_HEADER	    20 /* of IPv4, at least */
#define KD_VXLAN_HEADER	    8
#define KD_ETHERNET_HEADER  14

/* Extension headers of IPv6 that are passed over; a packet with more has no port that is seen. */
#define KD_IPV6_EXTENSIONS 4

/*
 * In BPF a function that the verifier looks at once, whoever calls it: its arguments may be anything there.
 */
#ifndef KD_HEADERS_FUNCTION
#define KD_HEADERS_FUNCTION static inline
#endif

/* Bytes in memory that may be read. */
struct kd_bytes {
	__u64 at;
	__u32 left;
	__u32 pad;
};

struct kd_packet {
	struct kd_tuple tuple; /* of the inner packet where it is encapsulated */
	struct kd_tuple outer; /* of VXLAN's; zeros where there is none */
	__u32 vni;
	__u32 sequence; /* TCP's, of ICMP its id and number, of UDP the first bytes of payload */
	__u32 payload_bytes;
	__u16 ip_id; /* 0 with IPv6 */
	__u8 tcp_flags;
	__u8 flags; /* KD_PATH_FRAGMENT, KD_PATH_VXLAN */
	__u32 transport; /* where the transport header begins, counted from the network header */
};

static __always_inline __u16 kd_be16(const __u8 *p)
{
	return (__u16)(p[0] << 8 | p[1]);
}

static __always_inline __u32 kd_be32(const __u8 *p)
{
	return (__u32)p[0] << 24 | (__u32)p[1] << 16 | (__u32)p[2] << 8 | p[3];
}

/* Reads `bytes` at an offset, or fails where they are not all there. */
static __always_inline int kd_read_at(const struct kd_bytes *from, __u32 offset, void *to,
				      __u32 bytes)
{
	if (offset > from->left || from->left - offset < bytes)
		return -1;
	return KD_HEADERS_READ(to, bytes, from->at + offset) ? -1 : 0;
}

/* IPv4 as IPv6 has it, ::ffff:a.b.c.d. */
static __always_inline void kd_map_ipv4(__u8 *to, const __u8 *address)
{
	__builtin_memset(to, 0, 10);
	to[10] = to[11] = 0xff;
	__builtin_memcpy(to + 12, address, 4);
}

/* What is above IP, `offset` bytes in, of which `bytes` belong to the packet. */
static __always_inline void kd_read_transport(const struct kd_bytes *from, __u32 offset,
					      __u32 bytes, struct kd_packet *packet)
{
	__u8 header[20];
	__u32 length;

	switch (packet->tuple.protocol) {
	case KD_PROTO_TCP:
		if (kd_read_at(from, offset, header, sizeof(header)))
			return;
		packet->sequence = kd_be32(header + 4);
		packet->tcp_flags = header[13];
		length = (header[12] >> 4) * 4;
		break;
	case KD_PROTO_UDP:
		if (kd_read_at(from, offset, header, 8))
			return;
		length = 8;
		if (!kd_read_at(from, offset + 8, header + 8, 4))
			packet->sequence = kd_be32(header + 8);
		break;
	case KD_PROTO_ICMP:
	case KD_PROTO_ICMPV6:
		if (kd_read_at(from, offset, header, 8))
			return;
		packet->sequence = kd_be32(header + 4);
		packet->payload_bytes = bytes > 8 ? bytes - 8 : 0;
		return;
	default:
		return;
	}
	packet->tuple.source_port = kd_be16(header);
	packet->tuple.destination_port = kd_be16(header + 2);
	packet->payload_bytes = bytes > length ? bytes - length : 0;
}

static __always_inline int kd_read_ipv4(const struct kd_bytes *from, struct kd_packet *packet)
{
	__u8 header[20];
	__u32 length, total;

	if (kd_read_at(from, 0, header, sizeof(header)))
		return -1;
	length = (header[0] & 15) * 4;
	if (length < sizeof(header))
		return -1;
	total = kd_be16(header + 2);
	kd_map_ipv4(packet->tuple.source, header + 12);
	kd_map_ipv4(packet->tuple.destination, header + 16);
	packet->tuple.protocol = header[9];
	packet->ip_id = kd_be16(header + 4);
	packet->payload_bytes = total > length ? total - length : 0;
	packet->transport = length;
	if (kd_be16(header + 6) & 0x3fff) /* more fragments, or not the first */
		packet->flags |= KD_PATH_FRAGMENT;
	return kd_be16(header + 6) & 0x1fff ? 1 : 0;
}

static __always_inline int kd_read_ipv6(const struct kd_bytes *from, struct kd_packet *packet)
{
	__u8 header[40];
	__u32 offset = sizeof(header), bytes;
	__u8 protocol;

	if (kd_read_at(from, 0, header, sizeof(header)))
		return -1;
	bytes = kd_be16(header + 4) + sizeof(header);
	protocol = header[6];
	__builtin_memcpy(packet->tuple.source, header + 8, 16);
	__builtin_memcpy(packet->tuple.destination, header + 24, 16);
	for (int i = 0; i < KD_IPV6_EXTENSIONS; i++) {
		__u8 extension[8];

		if (protocol != 0 && protocol != KD_PROTO_ROUTING &&
		    protocol != KD_PROTO_FRAGMENT && protocol != KD_PROTO_OPTIONS)
			break;
		if (kd_read_at(from, offset, extension, sizeof(extension)))
			break;
		if (protocol == KD_PROTO_FRAGMENT) {
			packet->flags |= KD_PATH_FRAGMENT;
			packet->ip_id = kd_be16(extension + 6);
			if (kd_be16(extension + 2) & 0xfff8) {
				packet->tuple.protocol = extension[0];
				return 1;
			}
			offset += 8;
		} else {
			offset += (extension[1] + 1) * 8;
		}
		protocol = extension[0];
	}
	packet->tuple.protocol = protocol;
	packet->payload_bytes = bytes > offset ? bytes - offset : 0;
	packet->transport = offset;
	return 0;
}

/*
 * One IP packet. 0: parsed, with ports where the protocol has some and they are there; -1: not IP, or cut
 * short. REQUIRES: the packet is all zeros.
 */
KD_HEADERS_FUNCTION int kd_read_ip(const struct kd_bytes *from, struct kd_packet *packet)
{
	__u8 version;
	int result;

	if (!from || !packet || kd_read_at(from, 0, &version, 1))
		return -1;
	if (version >> 4 == 4)
		result = kd_read_ipv4(from, packet);
	else if (version >> 4 == 6)
		result = kd_read_ipv6(from, packet);
	else
		return -1;
	if (result < 0)
		return -1;
	if (!result)
		kd_read_transport(from, packet->transport, packet->payload_bytes, packet);
	return 0;
}

static __always_inline int kd_is_vxlan(const struct kd_packet *packet)
{
	return packet->tuple.protocol == KD_PROTO_UDP &&
	       (packet->tuple.destination_port == KD_VXLAN_PORT ||
		packet->tuple.destination_port == KD_VXLAN_LINUX_PORT);
}

/*
 * What the VXLAN header at `transport` carries: its bytes in `inner` and its network in `vni`. -1: not IP, or
 * not all there.
 */
static __always_inline int kd_open_vxlan(const struct kd_bytes *from, __u32 transport,
					 struct kd_bytes *inner, __u32 *vni)
{
	__u8 header[8 + KD_VXLAN_HEADER + KD_ETHERNET_HEADER];
	__u16 type;

	if (kd_read_at(from, transport, header, sizeof(header)) || !(header[8] & 8))
		return -1;
	type = kd_be16(header + sizeof(header) - 2);
	if (type != KD_ETHERTYPE_IP && type != KD_ETHERTYPE_IPV6)
		return -1;
	inner->at = from->at + transport + sizeof(header);
	inner->left = from->left - transport - sizeof(header);
	*vni = kd_be32(header + 12) >> 8;
	return 0;
}

/* A packet, or in place of one that is VXLAN's the one that it carries, where that can be read. */
KD_HEADERS_FUNCTION int kd_read_packet(const struct kd_bytes *from, struct kd_packet *packet)
{
	struct kd_bytes inner = {};
	struct kd_tuple outer;
	__u32 vni = 0;

	if (!from || !packet)
		return -1;
	__builtin_memset(packet, 0, sizeof(*packet));
	if (kd_read_ip(from, packet))
		return -1;
	if (!kd_is_vxlan(packet) || kd_open_vxlan(from, packet->transport, &inner, &vni))
		return 0;
	outer = packet->tuple;
	__builtin_memset(packet, 0, sizeof(*packet));
	if (kd_read_ip(&inner, packet)) {
		__builtin_memset(packet, 0, sizeof(*packet));
		return kd_read_ip(from, packet);
	}
	packet->outer = outer;
	packet->vni = vni;
	packet->flags |= KD_PATH_VXLAN;
	return 0;
}
